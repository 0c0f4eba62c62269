using BenchmarkDotNet.Attributes;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Gateway.Tests.Simulation;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does one replayed request cost, its engine's steps included, beside the bare engine model on the same requests?</summary>
[MemoryDiagnoser]
public class ReplayBenchmarks
{
    private const int Requests = 2_000;

    private static readonly ReplaySettings Settings = new() { Profile = EngineProfiles.Rtx4090Llama8B, Replicas = 1 };

    private readonly ITrace _trace = TraceSource.Open("w1:rate=5,requests=2000", new TraceSettings { Seed = 1 });
    private VirtualRequest[] _arrivals = [];

    [GlobalSetup]
    public void Prepare() => _arrivals =
        [.. _trace.Read().Select(row => new VirtualRequest(row.Arrival, new EngineRequest { PromptTokens = row.InputTokens, OutputTokens = row.OutputTokens }))];

    [Benchmark(Baseline = true, OperationsPerInvoke = Requests)]
    public double EngineAlone() => VirtualRun.Replay(new EngineModel(Settings.Profile), _arrivals).Makespan;

    [Benchmark(OperationsPerInvoke = Requests)]
    public RunSummary Plain() => Run("plain");

    [Benchmark(OperationsPerInvoke = Requests)]
    public RunSummary Default() => Run("default");

    private RunSummary Run(string policy)
    {
        var statistics = new RunStatistics(SloLimits.None);
        new Replayer(Settings, ReplayPolicy.Parse(policy, out _)!, statistics).Run(_trace, CancellationToken.None);
        return statistics.Summarize();
    }
}
