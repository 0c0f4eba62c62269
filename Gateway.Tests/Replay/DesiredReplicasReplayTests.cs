using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Gateway.Telemetry;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

/// <summary>The signal for an autoscaler in virtual time: ahead of a rising load, and at rest under a steady one.</summary>
public sealed class DesiredReplicasReplayTests(ITestOutputHelper output)
{
    private const int Replicas = 2;
    private static readonly TimeSpan Slo = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Of_UnderARampOfArrivals_AsksForOneMoreBeforeRoomQueueAndFirstTokensTell(int seed)
    {
        // Two engines serve about 11.5 per second: from a third of it to a fifth beyond it in a quarter of an hour.
        var watch = Watch(seed, count: 8_000, second => 4 + (Math.Max(0, second - 120) * 10 / 900.0));

        var asked = watch.Signals.First(signal => signal.Desired > Replicas).At;
        // What an autoscaler averages over a minute.
        var minute = 60;
        var filled = watch.Signals[Enumerable.Range(minute, watch.Signals.Count - minute)
            .First(i => watch.Signals.Skip(i - minute).Take(minute).Average(signal => signal.FilledShare) > DesiredReplicas.FilledTo)].At;
        var queued = watch.Signals.First(signal => signal.Waiting > 0).At;
        var late = watch.FirstTokens.Chunk(200).First(some => some.OrderDescending().ElementAt(2).Seconds > Slo.TotalSeconds)[0].At;
        output.WriteLine($"seed {seed}: asked at {asked}, room at {filled}, queue at {queued}, p99 late at {late}");
        Assert.True(asked < queued, $"a queue at {queued}, asked at {asked}");
        Assert.True(asked + TimeSpan.FromSeconds(30) < late, $"late at {late}, asked at {asked}");
        Assert.True(asked < filled, $"room was short at {filled}, asked at {asked}");
    }

    [Theory]
    [InlineData(1, 4.0)]
    [InlineData(2, 6.0)]
    [InlineData(3, 8.0)]
    public void Of_UnderPoissonNoise_HardlyEverChangesItsMind(int seed, double perSecond)
    {
        var watch = Watch(seed, count: (int)(1_200 * perSecond), _ => perSecond);

        var settled = watch.Signals.Where(signal => signal.At > TimeSpan.FromMinutes(4)).Select(signal => signal.Desired).ToArray();
        var changes = settled.Zip(settled.Skip(1)).Count(pair => pair.First != pair.Second);
        output.WriteLine($"seed {seed}, {perSecond} per second: {changes} changes, {settled.Min()} to {settled.Max()}");
        Assert.InRange(changes, 0, 4);
        Assert.InRange(settled.Max() - settled.Min(), 0, 1);
    }

    private static Watched Watch(int seed, int count, Func<double, double> rateAt)
    {
        var watch = new Watched();
        var settings = new ReplaySettings { Profile = EngineProfiles.Rtx4090Llama8B, Replicas = Replicas, Seed = seed };
        var replayer = new Replayer(settings, ReplayPolicy.Parse("default", out _)!, watch);
        watch.Pool = replayer.Pool;
        replayer.Run(new Timed(TraceSource.Open($"w1:rate=1,requests={count}", new TraceSettings { Seed = seed }), rateAt), CancellationToken.None);
        return watch;
    }

    /// <summary>The rows of a workload of one arrival per second, so many times as fast at each moment.</summary>
    private sealed class Timed(ITrace rows, Func<double, double> rateAt) : ITrace
    {
        public string Name => rows.Name;

        public IEnumerable<TraceRequest> Read()
        {
            var (before, at) = (0.0, 0.0);
            foreach (var row in rows.Read())
            {
                at += (row.Arrival.TotalSeconds - before) / rateAt(at);
                before = row.Arrival.TotalSeconds;
                yield return row with { Arrival = TimeSpan.FromSeconds(at) };
            }
        }
    }

    private sealed class Watched : IRunObserver
    {
        public ModelPool? Pool { get; set; }

        public List<(TimeSpan At, int Desired, double FilledShare, int Waiting)> Signals { get; } = [];

        public List<(TimeSpan At, double Seconds)> FirstTokens { get; } = [];

        public void OnRequest(in RequestResult result) => FirstTokens.Add((result.Arrival, result.TimeToFirstToken.TotalSeconds));

        public void OnSample(in ReplicaSample sample)
        {
        }

        public void OnQueue(in QueueSample sample)
        {
            var now = Pool!.Pool.ReplicaList.Select(replica => replica.Snapshot()).ToArray();
            DesiredReplicas.Note(Pool.Pool, sample.Waiting, Pool.Demand);
            Signals.Add((sample.At, DesiredReplicas.Of(Pool.Pool, sample.Waiting, Pool.Demand), now.Average(replica => replica.ReservedTokens / (double)replica.CapacityTokens!), sample.Waiting));
        }

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
        }
    }
}
