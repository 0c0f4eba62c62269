using Gateway.Replicas;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class DesiredReplicasTests
{
    [Theory]
    [InlineData(0, 0, 0, 1)]
    [InlineData(800, 4, 0, 1)]
    [InlineData(801, 4, 0, 2)]
    [InlineData(800, 4, 4, 2)]
    [InlineData(1_600, 4, 16, 10)]
    public void Of_WithKnownRoom_DividesTheTokensOfRunningAndWaitingByIt(long reserved, int running, int waiting, int expected)
    {
        var replicas = new[] { Replica(reserved / 2, running / 2, 1_000, 8), Replica(reserved - (reserved / 2), running - (running / 2), 1_000, 8) };

        Assert.Equal(expected, DesiredReplicas.Of(replicas, waiting));
    }

    [Theory]
    [InlineData(6, 0, 1)]
    [InlineData(8, 0, 2)]
    [InlineData(8, 8, 3)]
    public void Of_WithSlotsAlone_CountsRequests(int running, int waiting, int expected) =>
        Assert.Equal(expected, DesiredReplicas.Of([Replica(0, running, null, 8)], waiting));

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 3)]
    public void Of_WithNothingKnown_AsksForOneMoreWhileAnybodyWaits(int waiting, int expected) =>
        Assert.Equal(expected, DesiredReplicas.Of([Replica(0, 3, null, null), Replica(0, 3, null, null)], waiting));

    [Fact]
    public void Of_AFleetThatIsGone_AsksForOne() => Assert.Equal(1, DesiredReplicas.Of([], 0));

    private static ReplicaSnapshot Replica(long reserved, int running, long? room, int? slots) => new()
    {
        Id = "a",
        Health = ReplicaHealth.Up,
        ReservedTokens = reserved,
        RunningRequests = running,
        CapacityTokens = room,
        SlotLimit = slots,
        Report = EngineReport.Empty,
    };
}
