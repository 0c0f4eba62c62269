using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class PeersTests
{
    private static readonly LoadProfile Small = new(PromptTokens: 100, UncachedTokens: 100, OutputTokens: 50, Sequences: 1);

    private readonly ManualTime _time = new();

    [Fact]
    public void TryReserve_WhereOthersHaveTheRoom_GivesOneAndThenUpToTheEvenShare()
    {
        var replica = Up(new() { KvTokens = 1_200 });
        replica.ObservePeers(new GatewayLoad(6, 6, 1_150, 0, 100), gateways: 3);

        var given = Enumerable.Range(0, 5).Select(_ => replica.TryReserve(Small, 1)).TakeWhile(reservation => reservation is not null).Count();

        // A third of 1,200 holds two of 150, and the peak of three that end at once is above it.
        Assert.Equal(2, given);
    }

    [Fact]
    public void TryReserve_WhereOthersHaveTheSlots_GivesUpToTheEvenShare()
    {
        var replica = Up(new() { Slots = 8 });
        replica.ObservePeers(new GatewayLoad(8, 8, 0, 0, 0), gateways: 2);

        var given = Enumerable.Range(0, 8).Select(_ => replica.TryReserve(Small, 1)).TakeWhile(reservation => reservation is not null).Count();

        Assert.Equal(4, given);
    }

    [Fact]
    public void ObservePeers_WhenTheyEnd_WakesThoseWhoWait()
    {
        var replica = Up(new() { KvTokens = 400 });
        replica.ObservePeers(new GatewayLoad(2, 2, 300, 0, 100), gateways: 2);
        using var own = replica.TryReserve(Small, 1);
        var before = replica.TryReserve(Small, 1);
        var (woken, version) = (0, replica.RoomVersion);
        replica.RoomReturned += () => woken++;

        replica.ObservePeers(default, gateways: 1);
        replica.ObservePeers(default, gateways: 1);

        Assert.Null(before);
        Assert.Equal(1, woken);
        Assert.NotEqual(version, replica.RoomVersion);
        Assert.NotNull(replica.TryReserve(Small, 1));
    }

    [Fact]
    public void ObservePeers_OfAnswersThatShareTheSteps_TeachesTheStepAtTheBatchOfAll()
    {
        var (alone, shared) = (Up(new()), Up(new()));
        shared.ObservePeers(new GatewayLoad(31, 31, 3_100, 0, 0), gateways: 2);

        foreach (var replica in new[] { alone, shared })
        {
            for (var i = 0; i < 20; i++)
            {
                using var reservation = replica.TryReserve(Small, 1)!;
                reservation.OnFirstToken();
                // 50 steps of 25 ms: slow for one sequence, usual for thirty-two.
                _time.Advance(TimeSpan.FromSeconds(50 * 0.025));
                reservation.OnAnswered(new(50, 100, 0, _time.GetTimestamp()));
            }
        }

        Assert.True(shared.Snapshot().Rates.StepScale < 0.9 * alone.Snapshot().Rates.StepScale);
    }

    private Replica Up(ReplicaOptions options)
    {
        var replica = new Replica(options, new Uri("http://engine.test"), "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }
}
