namespace Gateway.Routing;

/// <summary>What share of each replica's KV room is believed to keep prefixes, learned from the cached tokens that engines report. Not thread-safe.</summary>
/// <remarks>Less than all where others use the engine too, where its cache is off, or where it evicts in another order; more where it keeps what was evicted in
/// other memory. Reports alone move it: an engine that tells nothing is believed to keep all.</remarks>
internal sealed class CacheBelief
{
    private const double Step = 0.1;
    private const double LeastShare = 1 / 64.0;
    private const double MostShare = 8;

    // The prompt's own size in blocks and templates makes small differences that mean nothing.
    private const double Tolerance = 0.05;

    // What was sent a moment ago may not be computed yet: that it was not found says nothing about eviction.
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(10);

    private double[] _shares = [];

    public double ShareOf(int slot) => slot < _shares.Length ? _shares[slot] : 1;

    public void Learn(int slot, int promptTokens, int believedTokens, TimeSpan believedAge, int cachedTokens)
    {
        var difference = (cachedTokens - believedTokens) / (double)Math.Max(1, promptTokens);
        if (Math.Abs(difference) <= Tolerance || (difference < 0 && believedAge < Settled))
        {
            return;
        }
        if (slot >= _shares.Length)
        {
            var known = _shares.Length;
            Array.Resize(ref _shares, slot + 1);
            _shares.AsSpan(known).Fill(1);
        }
        _shares[slot] = Math.Clamp(_shares[slot] * (1 + (Step * Math.Clamp(difference, -1, 1))), LeastShare, MostShare);
    }

    public void Forget(int slot)
    {
        if (slot < _shares.Length)
        {
            _shares[slot] = 1;
        }
    }
}
