namespace Gateway.Replicas;

/// <summary>What an engine says of itself, as last read. Null: not said; unknown is never taken for zero.</summary>
public sealed record EngineReport
{
    public static readonly EngineReport Empty = new();

    /// <summary>When it was read, as a timestamp of the <see cref="TimeProvider"/>.</summary>
    public long ReadAt { get; init; }

    /// <summary>When load and <see cref="Progress"/> were read: at other times than what the engine is.</summary>
    public long LoadReadAt { get; init; }

    /// <summary>The detected or configured engine; <see cref="EngineKind.Auto"/> while unknown.</summary>
    public EngineKind Engine { get; init; }

    /// <summary>The engine's version; null when it tells none.</summary>
    public string? Version { get; init; }

    public int? RunningRequests { get; init; }

    public int? WaitingRequests { get; init; }

    /// <summary>Share of the KV room in use, 0 to 1.</summary>
    public double? KvUsage { get; init; }

    /// <summary>KV room in tokens.</summary>
    public long? KvCapacityTokens { get; init; }

    /// <summary>Requests the engine can run at once.</summary>
    public int? Slots { get; init; }

    /// <summary>Longest prompt and answer together, in tokens.</summary>
    public int? ContextTokens { get; init; }

    /// <summary>Whether it schedules by a request's priority; <see cref="EnginePriority.Auto"/>: not said.</summary>
    public EnginePriority Priority { get; init; }

    /// <summary>Preemptions since the engine started; a counter.</summary>
    public long? Preemptions { get; init; }

    /// <summary>Whether it keeps the beginnings of prompts for those that begin alike.</summary>
    public bool? CachesPrefixes { get; init; }

    /// <summary>Prompt tokens found in the engine's prefix cache since it started; a counter.</summary>
    public long? PrefixHitTokens { get; init; }

    /// <summary>Prompt tokens looked up there since it started; a counter.</summary>
    public long? PrefixQueryTokens { get; init; }

    /// <summary>A counter that moves whenever the engine makes a step: whether it lives.</summary>
    public long? Progress { get; init; }

    /// <summary>Model names the engine serves; empty when it tells none.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];
}
