using Gateway.Replicas.Engines.Discovery;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>What a server takes from its surroundings.</summary>
public sealed record ServerSettings
{
    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Reads an environment variable: where the engines' keys are.</summary>
    public Func<string, string?> Environment { get; init; } = System.Environment.GetEnvironmentVariable;

    /// <summary>Resolves the names of replicas.</summary>
    public INameResolver Names { get; init; } = new SystemNameResolver();

    /// <summary>Where logs go; null: nowhere.</summary>
    public Action<ILoggingBuilder>? ConfigureLogging { get; init; }
}
