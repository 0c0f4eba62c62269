using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

/// <summary>What the replicas' rates come to against the engines that the replay knows exactly.</summary>
public sealed class LearnedRatesTests(ITestOutputHelper output)
{
    private static readonly double[] Speeds = [1, 0.5, 2, 1];

    [Theory]
    [InlineData("least_requests/fcfs/past_future/mean", "w1:rate=14,requests=2500", 0.15)]
    [InlineData("least_requests/fcfs/none/mean", "w1:rate=14,requests=2500", 0.15)]
    [InlineData("round_robin/fcfs/past_future/mean", "w2:rate=1.4,requests=600", 0.25)]
    [InlineData("least_requests/fcfs/past_future/mean", "w1:rate=26,requests=2500", 0.35)]
    public void Run_OnEnginesOfUnequalSpeed_LearnsEachOnesOwn(string policy, string workload, double mostError)
    {
        var replayer = Run(policy, workload);

        for (var i = 0; i < Speeds.Length; i++)
        {
            var rates = replayer.Pool.Pool.ReplicaList[i].Snapshot().Rates;
            var (step, first) = (rates.StepSeconds(30) / Step(30, Speeds[i]), rates.TimeToFirstToken(0, 1000) / FirstToken(1000, Speeds[i]));
            output.WriteLine($"{policy} {workload} speed {Speeds[i]}, {rates.Answers} answers, learned / true: step of 30 {step:0.00}, first token of 1,000 {first:0.00}; " +
                $"first token: {rates.Prefill}; decode: {rates.Decode}");
            Assert.True(rates.IsLearned);
            Assert.InRange(step, 1 - mostError, 1 + mostError);
            Assert.InRange(first, 1 - mostError, 1 + mostError);
            Assert.InRange(rates.Decode.MeanRelativeError, 0, 0.2);
            Assert.InRange(rates.Prefill.MeanRelativeError, 0, 0.3);
            Assert.InRange(rates.Decode.CoverageRatio, 0.85, 1);
            Assert.InRange(rates.Prefill.CoverageRatio, 0.85, 1);
        }
    }

    [Fact]
    public void Run_Repeated_LearnsTheSameToTheLastBit()
    {
        var runs = Enumerable.Range(0, 2).Select(_ => Run("default", "sessions:rate=4,requests=400").Pool.Pool.ReplicaList.Select(replica => replica.Snapshot().Rates));

        Assert.Equal(runs.First(), runs.Last());
    }

    private static Replayer Run(string policy, string workload)
    {
        var settings = new ReplaySettings { Replicas = Speeds.Length, Profile = EngineProfiles.Rtx4090Llama8B, Speeds = Speeds };
        var replayer = new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, new Unheard());
        replayer.Run(TraceSource.Open(workload, new TraceSettings { Seed = 5 }), CancellationToken.None);
        return replayer;
    }

    // Decodes alone, at the workloads' usual context of a thousand tokens.
    private static double Step(int batch, double speed) => Time(new StepLoad(batch, batch, batch, 1000L * batch, 0, 0), speed);

    // A prompt alone in its step.
    private static double FirstToken(int tokens, double speed) => Time(new StepLoad(tokens, 1, 0, 0, 1, 0.5 * tokens * tokens), speed);

    private static double Time(in StepLoad load, double speed) => new StepTime(EngineProfiles.Rtx4090Llama8B).Milliseconds(load) / 1000 / speed;

    private sealed class Unheard : IRunObserver
    {
        public void OnRequest(in RequestResult result)
        {
        }

        public void OnSample(in ReplicaSample sample)
        {
        }

        public void OnQueue(in QueueSample sample)
        {
        }

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
        }
    }
}
