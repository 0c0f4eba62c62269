using System.ComponentModel.DataAnnotations;
using Gateway.Requests;

namespace Gateway.Access;

/// <summary>Who may enter, and how much of the fleet each may use. Absent: the gateway is open. Takes effect on reload.</summary>
public sealed record AccessOptions
{
    /// <summary>Whoever has keys of its own; at least one.</summary>
    public IReadOnlyList<TenantOptions> Tenants { get; init; } = [];

    /// <summary>The tenant that requests without a key belong to; null: they are refused. A wrong key is refused in any case.</summary>
    public string? AnonymousTenant { get; init; }

    /// <summary>A file of more keys, one <c>TENANT sha256:HEX</c> a line; followed like the configuration. Null: none.</summary>
    public string? KeysFile { get; init; }

    /// <summary>Limits of tenants that do not name their own.</summary>
    public LimitOptions Defaults { get; init; } = new();

    /// <summary>Whether every tenant gets a prefix cache of its own: a salt in each request, so that timing tells nobody about others.</summary>
    public bool CacheSalt { get; init; }

    /// <summary>The environment variable with the secret that salts are made from: the same in every gateway. Null: new at each start.</summary>
    public string? SecretEnv { get; init; }

    /// <summary>Hashes of the keys (<c>sha256:HEX</c>) that the ops endpoints under <c>/-/</c> ask for. Empty, and no variables: none is asked for.</summary>
    public IReadOnlyList<string> OpsKeys { get; init; } = [];

    /// <summary>Environment variables that hold ops keys.</summary>
    public IReadOnlyList<string> OpsKeyEnv { get; init; } = [];

    /// <summary>Whether <c>/metrics</c> asks for an ops key, too.</summary>
    public bool ProtectMetrics { get; init; }

    /// <summary>Whether the ops endpoints ask for a key.</summary>
    public bool HasOpsKeys => OpsKeys.Count + OpsKeyEnv.Count > 0;
}

/// <summary>Whoever shares one account: an application, a team, a customer.</summary>
public sealed record TenantOptions
{
    /// <summary>Its name; never sent to clients or engines.</summary>
    [Required]
    public string Name { get; init; } = "";

    /// <summary>Its share under contention, relative to other tenants.</summary>
    [Range(0.001, 1_000.0)]
    public double Weight { get; init; } = 1;

    /// <summary>Hashes of its keys: <c>sha256:</c> and 64 hexadecimal digits.</summary>
    public IReadOnlyList<string> Keys { get; init; } = [];

    /// <summary>Environment variables that hold keys of its own.</summary>
    public IReadOnlyList<string> KeyEnv { get; init; } = [];

    /// <summary>Models and aliases it may use; a model stands for its aliases, too. Empty: all.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Whether body fields that steer an engine (<c>priority</c>, <c>cache_salt</c> …) reach it.</summary>
    public bool Trusted { get; init; }

    /// <summary>What differs from <see cref="AccessOptions.Defaults"/>.</summary>
    public LimitOptions Limits { get; init; } = new();
}

/// <summary>Limits of one tenant; null: as in the defaults, and there: none.</summary>
public sealed record LimitOptions
{
    /// <summary>Requests begun per minute.</summary>
    [Range(1, 1_000_000_000)]
    public int? RequestsPerMinute { get; init; }

    /// <summary>Tokens per minute, prompts and answers together.</summary>
    [Range(1L, 1_000_000_000_000L)]
    public long? TokensPerMinute { get; init; }

    /// <summary>Prompt tokens per minute.</summary>
    [Range(1L, 1_000_000_000_000L)]
    public long? InputTokensPerMinute { get; init; }

    /// <summary>Output tokens per minute.</summary>
    [Range(1L, 1_000_000_000_000L)]
    public long? OutputTokensPerMinute { get; init; }

    /// <summary>Requests at the same time, waiting ones included.</summary>
    [Range(1, 1_000_000)]
    public int? MaxConcurrent { get; init; }

    /// <summary>Tokens per day of UTC, prompts and answers together.</summary>
    [Range(1L, 1_000_000_000_000_000L)]
    public long? DailyTokens { get; init; }

    /// <summary>The most urgent class; a request that asks for more is lowered to it.</summary>
    public PriorityClass? MaxPriority { get; init; }

    /// <summary>Whether anything is limited that is used up.</summary>
    internal bool Any => (RequestsPerMinute ?? TokensPerMinute ?? InputTokensPerMinute ?? OutputTokensPerMinute ?? MaxConcurrent ?? DailyTokens) is not null;

    /// <summary>These limits, with another's where these name none.</summary>
    internal LimitOptions Over(LimitOptions defaults) => new()
    {
        RequestsPerMinute = RequestsPerMinute ?? defaults.RequestsPerMinute,
        TokensPerMinute = TokensPerMinute ?? defaults.TokensPerMinute,
        InputTokensPerMinute = InputTokensPerMinute ?? defaults.InputTokensPerMinute,
        OutputTokensPerMinute = OutputTokensPerMinute ?? defaults.OutputTokensPerMinute,
        MaxConcurrent = MaxConcurrent ?? defaults.MaxConcurrent,
        DailyTokens = DailyTokens ?? defaults.DailyTokens,
        MaxPriority = MaxPriority ?? defaults.MaxPriority,
    };
}
