using System.Buffers;
using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Gateway.Dashboard;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does the status page cost while nobody looks (a token, a request), and while somebody does (an event)?</summary>
[MemoryDiagnoser]
public class StatusBoardBenchmarks
{
    private static readonly RequestEstimate Estimate = new(1_000, 500, new OutputLengthEstimate(null, 0, 200), 1);

    private readonly StatusBoard _board = new(TimeProvider.System);
    private readonly Fleet _fleet = new();
    private readonly ArrayBufferWriter<byte> _buffer = new(64 << 10);
    private readonly InferenceRequest _request = new() { Id = "q", Route = ApiRoute.ChatCompletions, Model = "m", Body = new BodyFacts() };
    private readonly StatusFacts _facts = new() { Version = "1", StartedAt = DateTimeOffset.UnixEpoch, Uptime = TimeSpan.Zero };

    [GlobalSetup]
    public void Prepare()
    {
        var pool = new Pool(new ModelOptions { Name = "m" }, new FaultLimits(5, TimeSpan.FromSeconds(10)), TimeProvider.System);
        pool.SetReplicas([.. Enumerable.Range(0, 1_000).Select(index => new ReplicaPlace($"gpu-{index}", new Uri("http://engine:8000/"), new ReplicaOptions()))]);
        _fleet.SetPools([pool]);
    }

    [Benchmark(Baseline = true)]
    public void Token() => _board.Latencies.OnTokenGap("m", 0.02);

    [Benchmark]
    public void Decision() => _board.OnDecision(_request, "m", null, Estimate, new AdmissionResult { Outcome = AdmissionOutcome.RejectedQueueFull }, null);

    [Benchmark]
    public int EventOfAThousandReplicas()
    {
        _buffer.ResetWrittenCount();
        using var json = new Utf8JsonWriter(_buffer);
        StatusJson.Write(json, _fleet, _facts, _board, new StatusView(null, "", long.MaxValue));
        json.Flush();
        return _buffer.WrittenCount;
    }
}
