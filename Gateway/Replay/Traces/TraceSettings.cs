namespace Gateway.Replay.Traces;

/// <summary>What a workload needs beside its source.</summary>
public sealed record TraceSettings
{
    /// <summary>Decides every draw: the same seed gives the same requests.</summary>
    public int Seed { get; init; }

    /// <summary>Arrivals are divided by it: 2 makes the same requests come twice as fast. Pauses inside sessions stay.</summary>
    public double RateFactor { get; init; } = 1;

    /// <summary>Requests left out at the beginning; times then count from the first that is not.</summary>
    public long Skip { get; init; }

    /// <summary>Requests read at most; null: all.</summary>
    public long? Limit { get; init; }

    /// <summary>When requests or sessions start where the source does not say: <c>poisson:rate=1</c>, <c>gamma:rate=1,cv=4</c> or <c>uniform:rate=1</c>, per second.</summary>
    public string Arrivals { get; init; } = "poisson:rate=1";

    /// <summary>Pause before a session's next turn where the source does not say.</summary>
    public TimeSpan Think { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Tokens per hash id; null: found from the first rows.</summary>
    public int? BlockTokens { get; init; }
}
