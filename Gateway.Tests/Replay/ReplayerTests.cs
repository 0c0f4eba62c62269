using System.Globalization;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

public class ReplayerTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("round_robin")]
    [InlineData("round_robin/fcfs/past_future/mean")]
    [InlineData("round_robin/fcfs/past_future/oracle")]
    [InlineData("least_requests")]
    [InlineData("lmetric")]
    [InlineData("default")]
    public void Run_AnyPolicy_EndsEveryRequestOnce(string policy)
    {
        var results = new Results();
        var settings = new ReplaySettings { Replicas = 1, Profile = EngineProfiles.Rtx4090Llama8B };
        var trace = new DrawnTrace(2_000, 6.0, 7);

        new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, results).Run(trace, CancellationToken.None);

        var done = results.Requests.Where(result => result.Outcome == ReplayOutcome.Completed).ToArray();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{policy}: E2E mean {done.Average(r => r.EndToEnd.TotalSeconds):F2} TTFT {done.Average(r => r.TimeToFirstToken.TotalSeconds):F2} preemptions {results.Engines.Sum(e => e.Preemptions)}"));
        Assert.Equal(2_000, results.Requests.Count);
    }

    private sealed class Results : IRunObserver
    {
        public List<RequestResult> Requests { get; } = [];

        public IReadOnlyList<EngineTotals> Engines { get; private set; } = [];

        public void OnRequest(in RequestResult result) => Requests.Add(result);

        public void OnSample(in ReplicaSample sample)
        {
        }

        public void OnQueue(in QueueSample sample)
        {
        }

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines) => Engines = engines;
    }

    private sealed class DrawnTrace(int requests, double rate, int seed) : ITrace
    {
        public string Name => "drawn";

        public IEnumerable<TraceRequest> Read()
        {
            var random = new Random(seed);
            var at = 0.0;
            for (var i = 0; i < requests; i++)
            {
                at -= Math.Log(1 - random.NextDouble()) / rate;
                yield return new TraceRequest
                {
                    Arrival = TimeSpan.FromSeconds(at),
                    InputTokens = Math.Min(1500, 300 + (int)(-506 * Math.Log(1 - random.NextDouble()))),
                    OutputTokens = Math.Min(511, 2 + (int)(-190 * Math.Log(1 - random.NextDouble()))),
                };
            }
        }
    }
}
