using Gateway.Access;
using Gateway.Api;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Telemetry;

namespace Gateway.Configuration;

/// <summary>The whole configuration file, read and checked: one immutable snapshot. A record without a key holds that key's default.</summary>
public sealed record GatewayOptions
{
    /// <summary>Where the gateway listens, and its limits on connections and bodies. Needs a restart.</summary>
    public ListenOptions Listen { get; init; } = new();

    /// <summary>How much of the gateway is on. Takes effect on reload.</summary>
    public GatewayMode Mode { get; init; } = GatewayMode.Full;

    /// <summary>The models served, each with its pool of replicas; at least one once loaded.</summary>
    public IReadOnlyList<ModelOptions> Models { get; init; } = [];

    /// <summary>How a replica is chosen.</summary>
    public RoutingOptions Routing { get; init; } = new();

    /// <summary>Limits on waiting, and its order.</summary>
    public QueueOptions Queue { get; init; } = new();

    /// <summary>How the length of an answer is foreseen.</summary>
    public EstimationOptions Estimation { get; init; } = new();

    /// <summary>Timeouts, retries, circuit breaking and health.</summary>
    public ResilienceOptions Resilience { get; init; } = new();

    /// <summary>Who may enter; null: anybody. Takes effect on reload.</summary>
    public AccessOptions? Access { get; init; }

    /// <summary>By which several gateways share what they know; null: this one is alone. Needs a restart.</summary>
    public RedisOptions? Redis { get; init; }

    /// <summary>What the gateway tells about itself.</summary>
    public TelemetryOptions Telemetry { get; init; } = new();

    /// <summary>Null: from no file.</summary>
    internal ConfigurationSource? Source { get; init; }

    /// <summary>The settings with what <see cref="Mode"/> makes of them.</summary>
    internal GatewayOptions InForce() => Mode != GatewayMode.Plain ? this : this with
    {
        Models = [.. Models.Select(model => model with { EnginePriority = EnginePriority.Off })],
        Routing = Routing with { Policy = "least_requests", Scorers = [] },
        Queue = Queue with
        {
            Order = "fcfs",
            Fairness = FairnessMode.Off,
            Rescue = RescueMode.Own,
            Preempt = PreemptMode.Off,
            Admission = "none",
            SiblingWait = TimeSpan.Zero,
            RefuseLate = false,
            HardTtftSlo = false,
            Classes = new(),
        },
    };
}

/// <summary>How much of the gateway is on.</summary>
public enum GatewayMode
{
    /// <summary>Estimates, holds, orders and places.</summary>
    Full,

    /// <summary>The safe mode: nothing held, nothing reordered, plain least load.</summary>
    Plain,
}
