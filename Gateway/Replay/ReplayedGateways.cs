using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;

namespace Gateway.Replay;

/// <summary>The gateways of a run: one, or several that requests come to by chance and that tell each other what they know. Used by one run.</summary>
internal sealed class ReplayedGateways
{
    /// <summary>The one model that they serve.</summary>
    public const string Model = "replayed";

    private readonly ReplayedGateway[] _gateways;
    private readonly Random _spread;
    private readonly TimeSpan? _exchangeInterval;
    private int _exchanging;

    public ReplayedGateways(ReplaySettings settings, ReplayPolicy policy, VirtualTime time)
    {
        var shared = policy.Gateways > 1 && policy.ExchangeInterval is not null ? new MemoryState(time) : null;
        _exchangeInterval = shared is null ? null : policy.ExchangeInterval / (Coordinator.LoadsPerExchange * policy.Gateways);
        NextExchange = _exchangeInterval;
        _spread = new Random(settings.Seed);
        _gateways = [.. Enumerable.Range(0, policy.Gateways).Select(i => new ReplayedGateway(
            GatewayCore.Create(OptionsOf(settings, policy), time, new Random(settings.Seed + i), hashKey: 0), shared?.Join($"gateway-{i}"), time))];
    }

    public ReplayedGateway First => _gateways[0];

    /// <summary>Requests that wait in all of them.</summary>
    public int Waiting => _gateways.Sum(gateway => gateway.Waiting);

    /// <summary>When the next of them tells and hears; null: they are alone.</summary>
    public TimeSpan? NextExchange { get; private set; }

    /// <summary>The one that a request comes to.</summary>
    public ReplayedGateway Draw() => _gateways[_gateways.Length > 1 ? _spread.Next(_gateways.Length) : 0];

    /// <summary>They exchange one after another, spread evenly over the interval, as real ones with unrelated clocks would.</summary>
    public void Exchange(TimeSpan now, CancellationToken cancellationToken)
    {
        while (NextExchange <= now)
        {
            _gateways[_exchanging].Exchange(cancellationToken);
            _exchanging = (_exchanging + 1) % _gateways.Length;
            // Exchanges that were due in a pause without work are skipped.
            NextExchange = now + _exchangeInterval;
        }
    }

    /// <summary>All of them read an engine's metrics.</summary>
    public void Observe(int engine, EngineReport report)
    {
        foreach (var gateway in _gateways)
        {
            gateway.Views[engine].Observe(report);
        }
    }

    /// <summary>All of them find every engine working.</summary>
    public void Probe()
    {
        foreach (var view in _gateways.SelectMany(gateway => gateway.Views))
        {
            view.OnProbed(ReplicaHealth.Up);
        }
    }

    /// <summary>Ends them: whoever still waits is refused.</summary>
    public void Close()
    {
        foreach (var gateway in _gateways)
        {
            gateway.Dispose();
        }
    }

    private static GatewayOptions OptionsOf(ReplaySettings settings, ReplayPolicy policy)
    {
        var options = policy.Options(Fleet(settings), settings.Seed);
        var queue = policy.HardTtftSlo ? options.Queue with { Classes = settings.Targets } : options.Queue;
        return options with { Queue = queue, Routing = options.Routing with { Shadow = settings.Shadow } };
    }

    private static ModelOptions Fleet(ReplaySettings settings) => new()
    {
        Name = Model,
        Aliases = RequestFactory.ClassNames(Model),
        BytesPerToken = RequestFactory.BytesPerToken,
        Replicas = [.. Enumerable.Range(0, settings.Replicas).Select(i => new ReplicaOptions
        {
            Url = new Uri($"http://replica-{i}"),
            Id = $"replica-{i}",
            KvTokens = settings.Room == RoomKnowledge.Capacity ? settings.Profile.KvTokens : null,
            Slots = settings.Room == RoomKnowledge.Capacity ? settings.Profile.MaxSequences : null,
        })],
    };
}
