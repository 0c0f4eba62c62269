using System.ComponentModel.DataAnnotations;

namespace Gateway.Forwarding;

/// <summary>Timeouts, retries before the first byte, circuit breaking and health. Takes effect on reload, for requests that start after it.</summary>
public sealed record ResilienceOptions
{
    /// <summary>Longest time to open a connection to a replica. Needs a restart.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:05:00")]
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest time from sending a request to the first byte of its answer, prefill included.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "1.00:00:00")]
    public TimeSpan FirstByteTimeout { get; init; } = TimeSpan.FromSeconds(120);

    /// <summary>Longest silence within a stream.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "1.00:00:00")]
    public TimeSpan StreamIdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Longest life of one request, from its arrival: waiting and retries included.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "7.00:00:00")]
    public TimeSpan TotalTimeout { get; init; } = TimeSpan.FromSeconds(3_600);

    /// <summary>Further attempts after the first, each on another replica where there is one.</summary>
    [Range(0, 10)]
    public int MaxRetries { get; init; } = 2;

    /// <summary>Retries allowed as a share of the pool's requests.</summary>
    [Range(0.0, 1.0)]
    public double RetryBudgetShare { get; init; } = 0.1;

    /// <summary>Retries per second allowed whatever the share says.</summary>
    [Range(0.0, 100_000.0)]
    public double RetryBudgetPerSecond { get; init; } = 10;

    /// <summary>Whether a stream that breaks after its first byte is continued by another replica from the text that was sent, where the request allows it.</summary>
    public bool ContinueStreams { get; init; } = true;

    /// <summary>How long a replica that continues a broken stream is looked for.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan ContinueWithin { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How long a replica that answered 429 or 503 without <c>Retry-After</c> is left alone.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan Backoff { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Failures in a row after which a replica gets no more requests.</summary>
    [Range(1, 10_000)]
    public int FailuresToOpen { get; init; } = 5;

    /// <summary>How long it gets none, before a single request tries it again.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan OpenDuration { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Longest single event of a stream that the watcher reads; a longer one is passed on unread.</summary>
    [Range(1_024L, 1_073_741_824L)]
    public long MaxFrameBytes { get; init; } = 1L << 20;

    /// <summary>Most bytes of a whole (not streamed) answer that are kept for reading its usage.</summary>
    [Range(1_024L, 1_073_741_824L)]
    public long MaxBufferedBytes { get; init; } = 8L << 20;

    /// <summary>Second attempts beside a first one that is slow to begin.</summary>
    public HedgeOptions Hedge { get; init; } = new();

    /// <summary>Signs of life for streaming clients.</summary>
    public HeartbeatOptions Heartbeat { get; init; } = new();

    /// <summary>Active probes.</summary>
    public HealthOptions Health { get; init; } = new();

    /// <summary>Time between two readings of a replica's own metrics.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan ScrapeInterval { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>Active health probes of the replicas.</summary>
public sealed record HealthOptions
{
    /// <summary>Time between two probes of one replica.</summary>
    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Longest wait for a probe's answer.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:10:00")]
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Failed probes in a row after which the replica is down.</summary>
    [Range(1, 1_000)]
    public int Failures { get; init; } = 3;
}
