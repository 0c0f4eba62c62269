using Gateway.Replicas;
using Gateway.Replicas.Engines;

namespace Gateway.Cli.Probes;

/// <summary>What one engine answered to <c>check --probe</c>.</summary>
internal sealed record ProbedReplica
{
    /// <summary>The replica's id, as in headers and metrics.</summary>
    public required string Id { get; init; }

    public required ModelOptions Model { get; init; }

    /// <summary>As written in the configuration.</summary>
    public required ReplicaOptions Options { get; init; }

    /// <summary>The engine that was recognised; <see cref="EngineKind.Auto"/>: it does not answer.</summary>
    public EngineKind Detected { get; init; }

    /// <summary>The kind it is treated as.</summary>
    public EngineKind Kind { get; init; }

    /// <summary>Whether it lives; what it says of itself; its load. Null: not asked, because an earlier question had no answer.</summary>
    public required EngineReading Health { get; init; }

    public EngineReading? Facts { get; init; }

    public EngineReading? Load { get; init; }

    /// <summary>The engine's clock minus ours, in seconds, to about half a second; null: it tells no time.</summary>
    public double? ClockSkewSeconds { get; init; }

    /// <summary>Whether the gateway has a key for it.</summary>
    public bool HasKey { get; init; }

    public bool Answers => Health.Outcome == ReadingOutcome.Read;
}
