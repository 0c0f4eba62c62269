using BenchmarkDotNet.Attributes;
using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost to choose a replica, reserve its room and give it back, beside reserving at the next one in turn? Nobody else asks.</summary>
[MemoryDiagnoser]
public class DispatcherBenchmarks : IDisposable
{
    private GatewayCore? _core;
    private ModelPool? _model;
    private InferenceRequest? _request;
    private RequestEstimate _estimate;
    private int _turn;

    [Params(4, 16, 64)]
    public int Replicas { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        (_core, _model) = BenchmarkCore.Create(Replicas);
        var body = ChatBodies.OfSize(4_096);
        BodyReader.Read(body, ApiRoute.ChatCompletions, _core.Hasher, out var facts, out var prefix);
        _request = new InferenceRequest { Id = "1", Route = ApiRoute.ChatCompletions, Model = facts.Model, Body = facts, Prefix = prefix };
        _estimate = _core.Estimate(_request, _model.Pool);
    }

    [Benchmark(Baseline = true)]
    public void ReserveAtNextInTurn()
    {
        var replicas = _model!.Pool.Replicas;
        var load = new LoadProfile(_estimate.PromptTokens, _estimate.PromptTokens, _estimate.OutputTokens, 1);
        replicas[_turn++ % replicas.Length].TryReserve(load, 0.97)!.Dispose();
    }

    [Benchmark]
    public async Task ChooseAndReserve()
    {
        var admission = await _model!.Dispatcher.EnterAsync(_request!, _estimate, Constraints.None, CancellationToken.None);
        admission.Reservation!.Dispose();
    }

    [Benchmark]
    public RequestEstimate Estimate() => _core!.Estimate(_request!, _model!.Pool);

    [GlobalCleanup]
    public void Dispose()
    {
        _core?.Dispose();
        GC.SuppressFinalize(this);
    }
}

/// <summary>A core whose replicas are up, without engines behind them.</summary>
internal static class BenchmarkCore
{
    public static (GatewayCore Core, ModelPool Model) Create(int replicas, QueueOptions? queue = null)
    {
        var options = new GatewayOptions { Models = [new() { Name = "bench" }], Queue = queue ?? new QueueOptions() };
        var core = GatewayCore.Create(options, TimeProvider.System, new Random(1), hashKey: 1);
        var model = core.Find("bench")!;
        model.Pool.SetReplicas([.. Enumerable.Range(0, replicas).Select(i => new ReplicaPlace($"r{i}", new Uri($"http://10.0.0.{i + 1}:8000"), new ReplicaOptions()))]);
        foreach (var replica in model.Pool.Replicas)
        {
            replica.OnProbed(ReplicaHealth.Up);
            replica.Observe(new EngineReport { Engine = EngineKind.Vllm, Slots = 256, KvCapacityTokens = 460_000, ContextTokens = 131_072 });
        }
        return (core, model);
    }
}
