namespace Gateway.Replicas;

/// <summary>Tells from an engine's counters that it was started anew: one fell, and only a new process counts from the beginning. Guarded by its replica's lock.</summary>
internal sealed class RestartWatch(TimeProvider time)
{
    // One whose counters keep falling is several engines behind one address. A crash loop that is quicker is told once.
    private static readonly TimeSpan LeastBetween = TimeSpan.FromMinutes(1);

    private long? _progress;
    private long? _lookedUp;
    private long? _preempted;
    private long? _fellAt;

    /// <summary>Takes a report over; whether it shows that the engine was started anew since the last one. What a report leaves out says nothing.</summary>
    public bool Observe(EngineReport report)
    {
        var fell = Fell(ref _progress, report.Progress) | Fell(ref _lookedUp, report.PrefixQueryTokens) | Fell(ref _preempted, report.Preemptions);
        if (!fell)
        {
            return false;
        }
        // What the new process has not counted yet must not be compared with the old one's.
        (_progress, _lookedUp, _preempted) = (report.Progress, report.PrefixQueryTokens, report.Preemptions);
        var isFirst = _fellAt is not { } at || time.GetElapsedTime(at) >= LeastBetween;
        _fellAt = time.GetTimestamp();
        return isFirst;
    }

    private static bool Fell(ref long? known, long? told)
    {
        var fell = told < known;
        known = told ?? known;
        return fell;
    }
}
