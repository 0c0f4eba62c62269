using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Coordination;

/// <summary>Gateways in front of the same two engines that share through memory, on a clock that stands still.</summary>
internal sealed class SharingPair : IDisposable
{
    public const string Model = "m";

    private readonly List<GatewayCore> _cores = [];

    public SharingPair(int gateways = 2)
    {
        State = new MemoryState(Time);
        for (var i = 0; i < gateways; i++)
        {
            var core = GatewayCore.Create(new GatewayOptions
            {
                Models = [new ModelOptions { Name = Model }],
                Estimation = new EstimationOptions { Estimator = i == 0 ? "running" : "ensemble" },
            }, Time, new Random(i), hashKey: 5);
            core.Models[0].Pool.SetReplicas([.. Enumerable.Range(0, 2).Select(Place)]);
            foreach (var replica in core.Models[0].Pool.Replicas)
            {
                replica.OnProbed(ReplicaHealth.Up);
            }
            _cores.Add(core);
            Coordinators.Add(new Coordinator(State.Join($"gateway-{i}"), Options, () => core.SharedPools, () => core.Lengths, null, Time));
        }
    }

    public ManualTime Time { get; } = new();

    public MemoryState State { get; }

    public RedisOptions Options { get; } = new();

    public List<Coordinator> Coordinators { get; } = [];

    public IReadOnlyList<GatewayCore> Cores => _cores;

    public Replica View(int gateway, int replica) => _cores[gateway].Models[0].Pool.ReplicaList[replica];

    /// <summary>One exchange of each gateway, and one more, so that the first knows of the last.</summary>
    public async Task ExchangeAsync()
    {
        foreach (var coordinator in Coordinators.Concat(Coordinators))
        {
            await coordinator.ExchangeAsync(default);
        }
    }

    public LoadReservation Reserve(int gateway, int replica, int promptTokens = 100, int outputTokens = 50) =>
        View(gateway, replica).TryReserve(new LoadProfile(promptTokens, promptTokens, outputTokens, 1), new NoAdmission(), 1)!;

    public static InferenceRequest Request(ulong[]? blocks = null, ulong session = 0, ulong tenant = 0) => new()
    {
        Id = "q",
        Route = ApiRoute.ChatCompletions,
        Model = Model,
        SessionKey = session,
        TenantKey = tenant,
        Prefix = new PrefixFingerprint(blocks ?? [], 40),
        Body = new BodyFacts { BodyBytes = 400, PromptBytes = 400 },
    };

    public static RequestEstimate Cost { get; } = new(100, 50, new OutputLengthEstimate(null, 0, 50), 1);

    public void Dispose() => _cores.ForEach(core => core.Dispose());

    private static ReplicaPlace Place(int number)
    {
        var url = new Uri($"http://10.0.0.{number + 1}:8000");
        return new ReplicaPlace($"r{number}", url, new ReplicaOptions { Url = url, KvTokens = 10_000 });
    }
}
