namespace Gateway.Requests;

/// <summary>One request as every later room sees it. Immutable; holds hashes, lengths and counts, never text.</summary>
public sealed record InferenceRequest
{
    /// <summary>The request id: the client's own where it is safe, else a new one.</summary>
    public required string Id { get; init; }

    public required ApiRoute Route { get; init; }

    /// <summary>The model name as the client wrote it; an alias or the pool's own name.</summary>
    public required string Model { get; init; }

    /// <summary>What one pass over the body found out.</summary>
    public required BodyFacts Body { get; init; }

    /// <summary>Chained hashes over the blocks of the prompt.</summary>
    public PrefixFingerprint Prefix { get; init; } = PrefixFingerprint.Empty;

    /// <summary>Keyed hash of the session id; 0 when the client named none.</summary>
    public ulong SessionKey { get; init; }

    /// <summary>Keyed hash of who asks: the tenant where tenants are configured, else the API key as sent. 0 when there is none.</summary>
    public ulong TenantKey { get; init; }

    /// <summary>The tenant's share under contention, relative to others; more than 0.</summary>
    public double TenantWeight { get; init; } = 1;

    /// <summary>Keyed hash of the flow that the client names for fairness among the tenant's own requests; 0 when it names none.</summary>
    public ulong FlowKey { get; init; }

    public PriorityClass Priority { get; init; } = PriorityClass.Default;

    /// <summary>Finer order inside the class, larger first; 0 unless the client sent an integer priority.</summary>
    public int PriorityLevel { get; init; }

    /// <summary>When it came, as a timestamp of the core's clock; null: when it asks for its turn.</summary>
    public long? ArrivedAt { get; init; }

    /// <summary>Longest time from arrival to the end of the answer that still helps the client; null: none named.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Longest time from arrival to the first token that the client wants; null: none named.</summary>
    public TimeSpan? TimeToFirstTokenSlo { get; init; }

    /// <summary>Longest time from arrival to the end that its client allows, where that is less than what is configured; null: none named.</summary>
    public TimeSpan? TotalTimeout { get; init; }

    /// <summary>Most retries that its client allows, where that is less than what is configured; null: none named.</summary>
    public int? MaxRetries { get; init; }
}

/// <summary>The classes of urgency, most urgent first. The number is the index of the class's queue.</summary>
public enum PriorityClass
{
    Interactive,
    Default,
    Batch,
}

/// <summary>How a class is written, wherever it is told: headers, metrics, logs, pages and reports.</summary>
public static class PriorityWords
{
    public static string Word(this PriorityClass priority) => priority switch
    {
        PriorityClass.Interactive => "interactive",
        PriorityClass.Batch => "batch",
        _ => "default",
    };
}
