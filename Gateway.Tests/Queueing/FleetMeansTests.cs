using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Tests.Queueing;

public sealed class FleetMeansTests
{
    [Fact]
    public void RoomTaken_OfReplicasWithRoomOfKnownSize_IsTheirMean()
    {
        Candidate[] candidates = [Replica(1_000, 500), Replica(4_000, 1_000), Replica(null, 700), Replica(1_000, 990, hasRoom: false)];

        Assert.Equal((0.5 + 0.25) / 2, Placer.RoomTaken(candidates), 9);
    }

    [Theory]
    // A single request may need more than there is.
    [InlineData(1_000L, 1_300, 1)]
    [InlineData(0L, 100, 0)]
    [InlineData(null, 100, 0)]
    public void RoomTaken_OfOneReplica_IsAShare(long? capacity, long reserved, double expected)
    {
        Assert.Equal(expected, Placer.RoomTaken([Replica(capacity, reserved)]));
    }

    [Fact]
    public void MeanRunningSequences_OfReplicasWithRoom_LeavesOutThoseWithout()
    {
        Candidate[] candidates = [Running(4), Running(1), Running(90, hasRoom: false), Running(7, ReplicaHealth.Draining)];

        Assert.Equal((2.5, 0), (Placer.MeanRunningSequences(candidates), Placer.MeanRunningSequences(candidates.AsSpan(2))));
    }

    private static Candidate Running(int sequences, ReplicaHealth health = ReplicaHealth.Up, bool hasRoom = true)
    {
        var candidate = Replica(1_000, 0, hasRoom);
        candidate.Replica = candidate.Replica with { Health = health, RunningSequences = sequences };
        return candidate;
    }

    private static Candidate Replica(long? capacity, long reserved, bool hasRoom = true) =>
        new() { Replica = new ReplicaSnapshot { Id = "r", Health = ReplicaHealth.Up, Weight = 1, HasRoom = hasRoom, CapacityTokens = capacity, ReservedTokens = reserved, Report = EngineReport.Empty } };
}
