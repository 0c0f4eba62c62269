using Gateway.Replicas.Rates;

namespace Gateway.Replicas;

/// <summary>A replica at one moment, all fields read under one lock. What is in flight is that of all gateways that share what they know.</summary>
public readonly record struct ReplicaSnapshot
{
    public required string Id { get; init; }

    /// <summary>The replica's index in the pool's sets of holders; stable while the replica is in the pool.</summary>
    public int Slot { get; init; }

    public ReplicaHealth Health { get; init; }

    /// <summary>Requests sent and not ended.</summary>
    public int RunningRequests { get; init; }

    /// <summary>Answers being generated: more than the requests where one asks for several.</summary>
    public int RunningSequences { get; init; }

    /// <summary>KV room given out, in tokens.</summary>
    public long ReservedTokens { get; init; }

    /// <summary>KV room in tokens; null: unknown, nothing is held for it.</summary>
    public long? CapacityTokens { get; init; }

    /// <summary>The part of it that can keep prefixes: none where the engine says that its cache is off; null: unknown.</summary>
    public long? PrefixRoomTokens => Report.CachesPrefixes == false ? 0 : CapacityTokens;

    /// <summary>Requests it may run at once; null: no limit known.</summary>
    public int? SlotLimit { get; init; }

    /// <summary>Prompt tokens sent and not yet computed.</summary>
    public long QueuedPrefillTokens { get; init; }

    /// <summary>The part of them whose end of prefill this gateway does not see: prompts of plain answers, and of other gateways.</summary>
    public long UnheardPrefillTokens { get; init; }

    /// <summary>The part of them that was sent since the replica was last heard of: the next step computes them, not the one in progress.</summary>
    public long JoiningPrefillTokens { get; init; }

    /// <summary>Of them, those that the step in progress computes, as far as would be heard.</summary>
    public long ComputingPrefillTokens => Math.Max(0, QueuedPrefillTokens - JoiningPrefillTokens - UnheardPrefillTokens);

    /// <summary>When the step in progress began, as a timestamp of the clock: when the replica was last heard of, or began to work; 0: never.</summary>
    public long StepBeganAt { get; init; }

    /// <summary>Expected output tokens still to come.</summary>
    public double OutstandingTokens { get; init; }

    /// <summary>Of what is in flight, the part of other gateways.</summary>
    public GatewayLoad Peers { get; init; }

    /// <summary>With what this gateway alone has in flight.</summary>
    public ReplicaSnapshot WithoutPeers() => this with
    {
        RunningRequests = RunningRequests - Peers.Requests,
        RunningSequences = RunningSequences - Peers.Sequences,
        ReservedTokens = ReservedTokens - Peers.ReservedTokens,
        QueuedPrefillTokens = QueuedPrefillTokens - Peers.QueuedPrefillTokens,
        UnheardPrefillTokens = UnheardPrefillTokens - Peers.QueuedPrefillTokens,
        OutstandingTokens = Math.Max(0, OutstandingTokens - Peers.OutstandingTokens),
        Peers = default,
    };

    /// <summary>With a limit of requests in flight as its only room; null: as it is.</summary>
    public ReplicaSnapshot Within(int? windowRequests) =>
        windowRequests is { } window ? this with { CapacityTokens = null, SlotLimit = Math.Min(window, SlotLimit ?? window) } : this;

    /// <summary>KV tokens of what was sent and not ended, as far as it has grown: prompts and what they generated.</summary>
    public long HeldTokens => Math.Max(0, ReservedTokens - (long)Math.Ceiling(OutstandingTokens));

    /// <summary>Configured speed relative to the pool's other replicas.</summary>
    public double Weight { get; init; }

    /// <summary>How fast it is, as learned from its answers; starts from the configured weight.</summary>
    public ServiceRates Rates
    {
        get => field ?? ServiceRates.Initial;
        init;
    }

    /// <summary>What the engine says of itself.</summary>
    public EngineReport Report { get; init; }

    /// <summary>Whether new work may be sent.</summary>
    public bool AcceptsWork => Health == ReplicaHealth.Up;

    /// <summary>Whether the request that was asked about would find room.</summary>
    public bool HasRoom { get; init; }
}
