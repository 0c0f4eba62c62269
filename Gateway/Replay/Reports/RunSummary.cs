using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>A distribution in a few figures, in seconds; all 0 when empty.</summary>
public readonly record struct LatencySummary(long Count, double Mean, double P50, double P90, double P99, double Max)
{
    /// <summary>The figures of a histogram.</summary>
    public static LatencySummary Of(LatencyHistogram values) =>
        new(values.Count, values.Mean, values.Quantile(0.5), values.Quantile(0.9), values.Quantile(0.99), values.Max);
}

/// <summary>What one priority class got.</summary>
public sealed record ClassSummary(PriorityClass Priority, LatencySummary TimeToFirstToken, LatencySummary EndToEnd)
{
    /// <summary>Requests per second that met all their limits; null without limits.</summary>
    public double? Goodput { get; init; }

    /// <summary>Share of all requests of the class, refused ones included, that met their limits; null without limits.</summary>
    public double? GoodShare { get; init; }
}

/// <summary>How far the expected answer lengths were off, over the completed requests that had an estimate.</summary>
/// <param name="MeanAbsoluteTokens">Mean of |actual − expected|.</param>
/// <param name="CoveredShare">Share of answers that were no longer than expected.</param>
public sealed record EstimateError(double MeanAbsoluteTokens, double CoveredShare);

/// <summary>How unevenly the replicas worked.</summary>
/// <param name="BusyMaxOverMean">Busiest replica's busy time over the mean; 1 is even. Null: none was busy.</param>
/// <param name="TokenVariation">Standard deviation over mean of the tokens that each replica processed; 0 is even.</param>
public sealed record ReplicaImbalance(double? BusyMaxOverMean, double? TokenVariation);

/// <summary>All figures of one run. Shares are 0 to 1, times in seconds of the run's own clock. Immutable.</summary>
public sealed record RunSummary
{
    /// <summary>Below so many completed requests a tail percentile rests on too few of them to compare by.</summary>
    public const int FewestForPercentiles = 2_000;

    /// <summary>First arrival to last token.</summary>
    public required double DurationSeconds { get; init; }

    public required long Completed { get; init; }

    public required long Refused { get; init; }

    public required long TooLarge { get; init; }

    /// <summary>Neither answered nor refused; 0 in a simulated run.</summary>
    public long Failed { get; init; }

    /// <summary>Arrival to first token, queueing included.</summary>
    public required LatencySummary TimeToFirstToken { get; init; }

    /// <summary>(Last − first token) / (output tokens − 1) per request, over answers of two tokens and more.</summary>
    public required LatencySummary TimePerOutputToken { get; init; }

    /// <summary>Arrival to last token.</summary>
    public required LatencySummary EndToEnd { get; init; }

    /// <summary>Arrival to the choice of a replica.</summary>
    public required LatencySummary QueueWait { get; init; }

    /// <summary>End to end over output tokens, per request.</summary>
    public required LatencySummary NormalizedLatency { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required double OutputTokensPerSecond { get; init; }

    /// <summary>Input and output tokens of completed requests.</summary>
    public required double TotalTokensPerSecond { get; init; }

    /// <summary>Requests per second that met all their limits; null without limits.</summary>
    public double? Goodput { get; init; }

    /// <summary>Share of all requests, refused ones included, that met their limits; null without limits.</summary>
    public double? GoodShare { get; init; }

    public long Preemptions { get; init; }

    public long EngineSteps { get; init; }

    /// <summary>Mean over time and replicas; null without samples.</summary>
    public double? KvUsageMean { get; init; }

    public double? KvUsageMax { get; init; }

    /// <summary>Prompt tokens that the engines found in their prefix caches, over those they looked up; null where none was.</summary>
    public double? PrefixHitShare { get; init; }

    /// <summary>Cached over all prompt tokens of completed requests; null without any.</summary>
    public double? CachedTokenShare { get; init; }

    public int MaxQueueDepth { get; init; }

    /// <summary>Most requests seen running on one replica.</summary>
    public int MaxRunning { get; init; }

    /// <summary>Most requests seen waiting in one replica's engine.</summary>
    public int MaxWaiting { get; init; }

    /// <summary>Null where fewer than two clients were served.</summary>
    public ClientFairness? Fairness { get; init; }

    /// <summary>Null without engines.</summary>
    public ReplicaImbalance? Imbalance { get; init; }

    /// <summary>One row per class that completed a request, the most urgent first.</summary>
    public IReadOnlyList<ClassSummary> Classes { get; init; } = [];

    public long Decisions { get; init; }

    /// <summary>Null where no request had an estimate.</summary>
    public EstimateError? EstimateError { get; init; }

    public required IReadOnlyList<CdfPoint> TimeToFirstTokenCdf { get; init; }

    public required IReadOnlyList<CdfPoint> TimePerOutputTokenCdf { get; init; }

    public required IReadOnlyList<CdfPoint> EndToEndCdf { get; init; }

    public required TimelineSeries Timeline { get; init; }

    /// <summary>Every request that came.</summary>
    public long Requests => Completed + Refused + TooLarge + Failed;

    /// <summary>Too few requests for tail percentiles: compare by means.</summary>
    public bool HasRoughPercentiles => Completed < FewestForPercentiles;
}
