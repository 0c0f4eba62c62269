using BenchmarkDotNet.Attributes;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does a turn cost while every replica is full: one answer ends, the next in order is admitted there, nobody else fits, and another request queues up?</summary>
[MemoryDiagnoser]
public class DecisionBenchmarks : IDisposable
{
    private const int SystemBlocks = 6;

    private readonly Queue<LoadReservation> _running = new();
    private readonly Random _chance = new(1);
    private InferenceRequest[] _requests = [];
    private RequestEstimate[] _estimates = [];
    private GatewayCore? _core;
    private ModelPool? _model;
    private Action<AdmissionResult>? _decided;
    private int _next;

    /// <summary>Every fleet that is measured.</summary>
    public static IReadOnlyList<string> Fleets { get; } =
        ["16 replicas, 100 waiting", "256 replicas, 10000 waiting", "256 replicas, 10000 waiting, prompts known", "256 replicas, 10000 waiting, one system prompt"];

    [ParamsSource(nameof(Fleets))]
    public string Fleet { get; set; } = "";

    [GlobalSetup]
    public void Prepare()
    {
        var (replicas, waiting) = Fleet.StartsWith("16 ", StringComparison.Ordinal) ? (16, 100) : (256, 10_000);
        (_core, _model) = BenchmarkCore.Create(replicas, new QueueOptions { MaxWait = TimeSpan.FromHours(10), MaxWaiting = 1_000_000, MaxWaitingBytes = 1L << 36 });
        foreach (var replica in _model.Pool.Replicas)
        {
            replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Slots = 256, KvCapacityTokens = 41_408, ContextTokens = 131_072 });
        }
        _decided = result => _running.Enqueue(result.Reservation!);
        // Before a prompt comes again it is long forgotten; where prompts are known, most find a full replica that holds theirs.
        _requests = new InferenceRequest[Fleet.EndsWith("known", StringComparison.Ordinal) ? 512 : 3 * ((64 * replicas) + waiting)];
        _estimates = new RequestEstimate[_requests.Length];
        for (var i = 0; i < _requests.Length; i++)
        {
            var body = ChatBodies.OfSize(3_200 + _chance.Next(-1_000, 1_000));
            BodyReader.Read(body, ApiRoute.ChatCompletions, _core.Hasher, out var facts, out var prefix);
            // Its own prompt from the first block on, or after a system prompt that all share.
            var shared = Fleet.EndsWith("one system prompt", StringComparison.Ordinal) ? SystemBlocks : 0;
            var blocks = prefix.Blocks.Select((block, at) => at < shared ? block : block ^ ((ulong)i << 40)).ToArray();
            _requests[i] = new InferenceRequest { Id = "1", Route = ApiRoute.ChatCompletions, Model = facts.Model, Body = facts, Prefix = prefix with { Blocks = blocks } };
            _estimates[i] = _core.Estimate(_requests[i], _model.Pool);
        }
        while (_model.Dispatcher.Waiting(PriorityClass.Default) < waiting)
        {
            Enter();
        }
    }

    [Benchmark]
    public void EndOneAdmitTheNext()
    {
        _running.Dequeue().Dispose();
        Enter();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _core?.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Enter()
    {
        var i = _next++ % _requests.Length;
        _model!.Dispatcher.Enter(_requests[i], _estimates[i], Constraints.None, _decided!);
    }
}
