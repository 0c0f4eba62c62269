namespace Gateway.Replicas;

/// <summary>Finds the KV room of an engine that does not tell it, from what it shows under load. Guarded by its replica's lock.</summary>
/// <remarks>
/// Where the engine tells its KV use, the room is what is in flight over that share, in the ledger's own tokens, so that errors in counting them cancel out.
/// Where it does not, the room is what was in the engine when it began to queue or preempt; from there it is felt upwards slowly while it binds.
/// </remarks>
internal sealed class LearnedCapacity
{
    private const double Memory = 0.9;

    // Sum of (fading) KV use that is enough evidence: one report at half use, or several at less.
    private const double EnoughUse = 0.5;

    // Reports below this use are ignored: rounding and the engine's own blocks would weigh too much.
    private const double LeastUse = 0.1;

    // At one report a second this is seven percent a minute.
    private const double GrowthPerReport = 1.0011;

    private double _usage;
    private double _held;
    private double? _atPressure;
    private EngineReport _before = EngineReport.Empty;

    /// <summary>KV room in tokens; null: nothing shown yet.</summary>
    public long? Tokens => _usage >= EnoughUse ? (long)(_held / _usage) : (long?)_atPressure;

    /// <param name="report">What the engine says now.</param>
    /// <param name="heldTokens">What the ledger has there.</param>
    /// <param name="sequences">Answers that the ledger has there.</param>
    /// <param name="isBinding">Whether somebody was held for want of room since the last report.</param>
    public void Observe(EngineReport report, double heldTokens, int sequences, bool isBinding)
    {
        var (before, running, waiting) = (_before, report.RunningRequests, report.WaitingRequests ?? 0);
        _before = report;
        if (sequences == 0 || running > sequences)
        {
            // Requests of others are in the engine's KV use but not in our ledger: such a report tells nothing.
            return;
        }
        // Requests in the engine's own queue hold no KV room.
        var inEngine = running is { } count && count + waiting > 0 ? heldTokens * count / (count + waiting) : heldTokens;
        if (report.KvUsage is { } usage)
        {
            if (usage >= LeastUse && inEngine > 0)
            {
                (_usage, _held) = ((Memory * _usage) + usage, (Memory * _held) + inEngine);
            }
            return;
        }
        // An engine that queues while its running requests increase is only working through prompts; one that queues while they do not is full.
        var isFull = report.Preemptions > before.Preemptions || (waiting > 0 && before.WaitingRequests > 0 && running <= before.RunningRequests);
        if (isFull && inEngine > 0)
        {
            _atPressure = Math.Min(_atPressure ?? inEngine, inEngine);
        }
        else if (isBinding && waiting == 0)
        {
            _atPressure *= GrowthPerReport;
        }
    }
}
