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
    public void OfWork_WithKnownRoom_DividesTheTokensOfRunningAndWaitingByIt(long reserved, int running, int waiting, int expected)
    {
        var replicas = new[] { Replica(reserved / 2, running / 2, 1_000, 8), Replica(reserved - (reserved / 2), running - (running / 2), 1_000, 8) };

        Assert.Equal(expected, DesiredReplicas.OfWork(replicas, waiting));
    }

    [Theory]
    [InlineData(6, 0, 1)]
    [InlineData(8, 0, 2)]
    [InlineData(8, 8, 3)]
    public void OfWork_WithSlotsAlone_CountsRequests(int running, int waiting, int expected) =>
        Assert.Equal(expected, DesiredReplicas.OfWork([Replica(0, running, null, 8)], waiting));

    [Theory]
    [InlineData(4, null, 13)]
    [InlineData(4, 8, 13)]
    [InlineData(4, 2, 25)]
    public void OfWork_WithinAWindow_CountsRequestsByTheSmallerLimit(int window, int? slots, int expected)
    {
        ReplicaSnapshot[] full = [Replica(600, 4, 100_000, slots).Within(window), Replica(600, 4, 100_000, slots).Within(window)];

        Assert.Equal(expected, DesiredReplicas.OfWork(full, waiting: 32));
    }

    [Theory]
    [InlineData(0, 2)]
    [InlineData(1, 3)]
    public void OfWork_WithNothingKnown_AsksForOneMoreWhileAnybodyWaits(int waiting, int expected) =>
        Assert.Equal(expected, DesiredReplicas.OfWork([Replica(0, 3, null, null), Replica(0, 3, null, null)], waiting));

    [Fact]
    public void OfWork_AFleetThatIsGone_AsksForOne() => Assert.Equal(1, DesiredReplicas.OfWork([], 0));

    [Theory]
    [InlineData(null, 1)]
    [InlineData(0.0, 1)]
    [InlineData(0.8, 1)]
    [InlineData(0.81, 2)]
    [InlineData(8.0, 10)]
    [InlineData(1e300, DesiredReplicas.Most)]
    public void OfForecast_OfReplicasThatAreKeptBusy_LeavesAFifthFree(double? busy, int expected) => Assert.Equal(expected, DesiredReplicas.OfForecast(busy));

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void OfWork_OfMoreWork_NeverAsksForFewer(int seed)
    {
        var chance = new Random(seed);
        for (var i = 0; i < 500; i++)
        {
            var (reserved, running, waiting) = (chance.Next(0, 5_000), chance.Next(1, 50), chance.Next(0, 200));
            int? room = chance.Next(3) > 0 ? chance.Next(100, 2_000) : null;
            int? slots = chance.Next(3) > 0 ? chance.Next(1, 64) : null;

            var asked = DesiredReplicas.OfWork([Replica(reserved, running, room, slots)], waiting);

            Assert.InRange(asked, 1, DesiredReplicas.Most);
            Assert.True(DesiredReplicas.OfWork([Replica(reserved + 500, running, room, slots)], waiting) >= asked, $"more reserved, seed {seed}, round {i}");
            Assert.True(DesiredReplicas.OfWork([Replica(reserved, running, room, slots)], waiting + 5) >= asked, $"more waiting, seed {seed}, round {i}");
        }
    }

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
