namespace Gateway.Replicas;

/// <summary>What others than this gateway have in an engine: other gateways, clients that ask it directly, what was sent before a restart.</summary>
/// <param name="Tokens">KV tokens that they hold.</param>
/// <param name="Sequences">Answers being generated or waiting there.</param>
public readonly record struct ForeignLoad(long Tokens, int Sequences);

/// <summary>Tells the foreign load from an engine's own metrics: what it says beyond what the ledger knows. Guarded by its replica's lock.</summary>
internal sealed class ForeignLoadWatch
{
    /// <summary>A report older than this says nothing about the load.</summary>
    public static readonly TimeSpan Stale = TimeSpan.FromSeconds(5);

    // For engines that tell their KV use but no number of requests: a difference below this share is the error of our own estimates, not foreign load.
    private const double LeastExcess = 0.1;

    private ForeignLoad _before;
    private ForeignLoad _last;

    /// <summary>What both of the last two reports showed: a request that ends at the engine before it ends here, or the other way round, is in one only.</summary>
    public ForeignLoad Current => new(Math.Min(_before.Tokens, _last.Tokens), Math.Min(_before.Sequences, _last.Sequences));

    public void Observe(EngineReport report, long? capacity, double heldTokens, int sequences)
    {
        _before = _last;
        var others = report.RunningRequests is { } running ? Math.Max(0, running + (report.WaitingRequests ?? 0) - sequences) : (int?)null;
        double tokens = 0;
        if (others != 0 && report.KvUsage is { } usage && capacity is { } room)
        {
            tokens = Math.Max(0, (usage * room) - heldTokens);
            tokens = others is null && tokens < LeastExcess * room ? 0 : tokens;
        }
        _last = new ForeignLoad((long)tokens, others ?? 0);
    }
}
