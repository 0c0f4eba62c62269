using System.ComponentModel.DataAnnotations;

namespace Gateway.Replicas;

/// <summary>One model and the pool of replicas that serve it. Takes effect on reload: replicas that stay keep their load and history.</summary>
public sealed record ModelOptions
{
    /// <summary>The name clients ask for; unique among all names and aliases.</summary>
    [Required]
    public string Name { get; init; } = "";

    /// <summary>Other names for the same pool.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>The engine's own name of the model; null: the same as <see cref="Name"/>.</summary>
    public string? UpstreamModel { get; init; }

    /// <summary>The name under which engines are asked for the model.</summary>
    internal string SentName => UpstreamModel ?? Name;

    /// <summary>Which model server the replicas run.</summary>
    public EngineKind Engine { get; init; } = EngineKind.Auto;

    /// <summary>The engines that serve this model; at least one once loaded, unless they are discovered.</summary>
    public IReadOnlyList<ReplicaOptions> Replicas { get; init; } = [];

    /// <summary>Where further engines are found.</summary>
    public DiscoveryOptions Discovery { get; init; } = new();

    /// <summary>Other models that may answer in this one's place, in this order: when it has no replica, no room or only failures, or too short a context.</summary>
    public IReadOnlyList<string> Fallbacks { get; init; } = [];

    /// <summary>Name of the environment variable that holds the engines' API key, never the key itself; null: none is sent.</summary>
    public string? ApiKeyEnv { get; init; }

    /// <summary>The engines' API key; null: no variable is named, or it is empty.</summary>
    /// <param name="environment">Reads an environment variable.</param>
    public string? ApiKey(Func<string, string?> environment) => ApiKeyEnv is { Length: > 0 } name && environment(name) is { Length: > 0 } key ? key : null;

    /// <summary>Whether the engines schedule by <c>priority</c>, and in which direction.</summary>
    public EnginePriority EnginePriority { get; init; } = EnginePriority.Auto;

    /// <summary>Longest prompt and answer together, in tokens; null: read from the engine.</summary>
    [Range(1, 1_000_000_000)]
    public int? ContextTokens { get; init; }

    /// <summary>Bytes of prompt text per token, the value to start from until <c>usage</c> has taught a better one.</summary>
    [Range(0.25, 64.0)]
    public double BytesPerToken { get; init; } = 4.0;
}
