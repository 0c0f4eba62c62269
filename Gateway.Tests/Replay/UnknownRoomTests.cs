using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay;

/// <summary>An engine that does not tell its room, in overload: it is found, and what is lost until then is little.</summary>
public sealed class UnknownRoomTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(RoomKnowledge.Usage)]
    [InlineData(RoomKnowledge.Queue)]
    public void Run_InOverload_FindsTheRoomAndStopsTheThrashing(RoomKnowledge knowledge)
    {
        var known = Run("default", RoomKnowledge.Capacity);
        var forwarded = Run("plain", RoomKnowledge.Capacity);

        var learned = Run("default", knowledge);

        output.WriteLine($"known {known}, forwarded {forwarded}, learned {learned}");
        Assert.InRange(learned.Capacity, 0.75 * known.Capacity, 1.05 * known.Capacity);
        Assert.True(learned.Preemptions < forwarded.Preemptions / 3);
        Assert.True(learned.MeanSeconds < (known.MeanSeconds + forwarded.MeanSeconds) / 2);
    }

    private static (double MeanSeconds, long Preemptions, long Capacity) Run(string policy, RoomKnowledge knowledge)
    {
        var settings = new ReplaySettings { Replicas = 1, Profile = EngineProfiles.Rtx4090Llama8B, Room = knowledge };
        var results = new Results();
        var replayer = new Replayer(settings, ReplayPolicy.Parse(policy, out _)!, results);
        replayer.Run(TraceSource.Open("w1:rate=6,requests=2000", new TraceSettings { Seed = 5 }), CancellationToken.None);
        return (results.Seconds.Average(), replayer.Engines[0].Model.Counters.Preemptions, replayer.Pool.Pool.ReplicaList[0].Snapshot().CapacityTokens ?? 0);
    }

    private sealed class Results : IRunObserver
    {
        public List<double> Seconds { get; } = [];

        public void OnRequest(in RequestResult result) => Seconds.Add(result.EndToEnd.TotalSeconds);

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
