using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Tests.Queueing;

public sealed class RoomTakenTests
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

    private static Candidate Replica(long? capacity, long reserved, bool hasRoom = true) =>
        new() { Replica = new ReplicaSnapshot { Id = "r", Weight = 1, HasRoom = hasRoom, CapacityTokens = capacity, ReservedTokens = reserved, Report = EngineReport.Empty } };
}
