namespace Gateway.Routing;

/// <summary>What a token of cache is worth: how many prompt tokens are found no more for each token more that full caches take in. Not thread-safe; <see cref="LostPerToken"/> may be read by any thread.</summary>
/// <remarks>
/// Stack distances tell it (Mattson et al. 1970): what was found after it had lain there for more than half of the time that a full cache keeps anything, a cache of
/// half the size would have lost. A token that is added shortens what is kept by one token for as long as it stays itself; taken in a straight line from half the
/// size, that loses twice those finds over what was added. Where the same beginnings are asked for all the time, or caches are not full, it is nothing.
/// </remarks>
internal sealed class MarginalHits
{
    /// <summary>Share of a cache's room from which on it is full: what is used at the moment cannot leave.</summary>
    public const double FullFrom = 0.9;

    // Answers of a few tokens add next to nothing, and what the next one would lose is then no longer told by a straight line.
    private const double Most = 2;

    // About 200 prompts are remembered.
    private const double Smoothing = 0.005;

    private double _late;
    private double _added;
    private double _lostPerToken;

    /// <summary>Tokens lost for each that is added, 0 to 2; 0 where caches have room.</summary>
    public double LostPerToken => Volatile.Read(ref _lostPerToken);

    /// <summary>Notes one prompt and its answer.</summary>
    /// <param name="lateTokens">Tokens found in a full cache that had lain there for more than half of the time since its oldest was used.</param>
    /// <param name="addedTokens">Tokens that the cache did not hold.</param>
    public void Add(double lateTokens, double addedTokens)
    {
        _late += Smoothing * (lateTokens - _late);
        _added += Smoothing * (addedTokens - _added);
        Volatile.Write(ref _lostPerToken, Math.Min(Most, 2 * _late / Math.Max(1, _added)));
    }
}
