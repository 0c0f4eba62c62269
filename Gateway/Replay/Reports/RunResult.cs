using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>How one replayed request ended.</summary>
public enum ReplayOutcome
{
    Completed,

    /// <summary>Larger than an engine's KV room or context: refused and counted.</summary>
    TooLarge,

    /// <summary>Refused by the gateway: queue full, waited too long, deadline.</summary>
    Refused,

    /// <summary>Neither answered nor refused: an error, a cut stream, no connection. Only real endpoints do that.</summary>
    Failed,
}

/// <summary>One request's measured life, on the clock of the run.</summary>
public readonly record struct RequestResult
{
    public required ReplayOutcome Outcome { get; init; }

    /// <summary>When it came, since the run's start.</summary>
    public TimeSpan Arrival { get; init; }

    /// <summary>Arrival to the gateway's choice of a replica.</summary>
    public TimeSpan QueueWait { get; init; }

    /// <summary>Arrival to the first token, queueing included.</summary>
    public TimeSpan TimeToFirstToken { get; init; }

    /// <summary>Arrival to the last token.</summary>
    public TimeSpan EndToEnd { get; init; }

    public int InputTokens { get; init; }

    public int OutputTokens { get; init; }

    /// <summary>Prompt tokens found in the engine's prefix cache.</summary>
    public int CachedTokens { get; init; }

    /// <summary>Output tokens expected at arrival.</summary>
    public double EstimatedOutputTokens { get; init; }

    public string? ClientId { get; init; }

    public string? SessionId { get; init; }

    public PriorityClass Priority { get; init; }

    /// <summary>Longest time to the first token that counts as good for this request; null: the run's own limit.</summary>
    public TimeSpan? TimeToFirstTokenSlo { get; init; }

    /// <summary>Time per output token after the first; null for answers of one token.</summary>
    public double? TimePerOutputTokenSeconds =>
        OutputTokens > 1 ? (EndToEnd - TimeToFirstToken).TotalSeconds / (OutputTokens - 1) : null;
}

/// <summary>The state of one replica at one moment of a run, for timelines.</summary>
public readonly record struct ReplicaSample(TimeSpan At, int ReplicaIndex, int Running, int Waiting, double KvUsage);

/// <summary>The queue in front of the engines at one moment of a run.</summary>
public readonly record struct QueueSample(TimeSpan At, int Waiting);

/// <summary>What an engine counted over a run.</summary>
public readonly record struct EngineTotals(long Steps, double BusySeconds, long Preemptions, long PrefixQueryTokens, long PrefixHitTokens, long ProcessedTokens);

/// <summary>Hears everything that a run measures, as it happens. One run, one thread.</summary>
public interface IRunObserver
{
    void OnRequest(in RequestResult result);

    void OnSample(in ReplicaSample sample);

    void OnQueue(in QueueSample sample);

    /// <summary>The run is over.</summary>
    /// <param name="duration">First arrival to last token, in the run's own time.</param>
    /// <param name="decisions">Placements made.</param>
    /// <param name="engines">What each engine counted.</param>
    void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines);
}
