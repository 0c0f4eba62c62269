namespace Gateway.Replay.Reports;

/// <summary>How often something with a name happened.</summary>
public sealed record NamedCount(string Name, long Count);

/// <summary>How well a generator of real load kept to its workload, and what became of it. On the wall clock: no two runs agree on it.</summary>
public sealed record LoadFigures
{
    /// <summary>Above this p99 of <see cref="Lateness"/>, in seconds, the load was not the workload's.</summary>
    public const double TolerableLatenessSeconds = 0.010;

    /// <summary>Requests that went out.</summary>
    public required long Sent { get; init; }

    /// <summary>Requests per second that the workload asks for: over the span of the times at which they were due.</summary>
    public required double OfferedRate { get; init; }

    /// <summary>Requests per second over the span in which they went out.</summary>
    public required double SentRate { get; init; }

    /// <summary>From when a request was due to when it was sent, in seconds.</summary>
    public required LatencySummary Lateness { get; init; }

    /// <summary>Most requests open at once.</summary>
    public required int MostOpen { get; init; }

    /// <summary>Answers that were not complete, by status or kind, the most frequent first.</summary>
    public IReadOnlyList<NamedCount> Failures { get; init; } = [];

    /// <summary>Answers per replica, where a gateway told which; in the order of the names.</summary>
    public IReadOnlyList<NamedCount> Replicas { get; init; } = [];

    /// <summary>Requests that were open when the run was given up.</summary>
    public long GivenUp { get; init; }

    /// <summary>Whether the generator itself was too slow for its figures to count.</summary>
    public bool IsLate => Lateness.P99 > TolerableLatenessSeconds;
}
