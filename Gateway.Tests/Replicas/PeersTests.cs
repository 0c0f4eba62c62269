using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class PeersTests
{
    private static readonly LoadProfile Small = new(PromptTokens: 100, UncachedTokens: 100, OutputTokens: 50, Sequences: 1);

    private readonly ManualTime _time = new();

    [Fact]
    public void TryReserve_BesideAnswersOfOthers_GivesTheRoomThatIsFreeWhenTheyEnd()
    {
        var (early, late) = (Up(new() { KvTokens = 1_200 }), Up(new() { KvTokens = 1_200 }));
        early.ObservePeers(new GatewayLoad(1, 1, 801, 0, 1), [new Course(800, 1, 1)], gateways: 2);
        late.ObservePeers(new GatewayLoad(1, 1, 900, 0, 100), [new Course(800, 100, 1)], gateways: 2);

        // Each is 101 tokens and grows by 50: the other's 800 are gone by then, or they are 850.
        Assert.Equal((3, 2), (Filled(early), Filled(late)));
    }

    [Fact]
    public void TryReserve_WhereOthersHaveTheRoom_GivesEverybodyAQuarterOfTheEvenShare()
    {
        var replica = Up(new() { KvTokens = 4_800 });
        replica.ObservePeers(new GatewayLoad(30, 30, 4_800, 0, 100), [new Course(4_700, 4, 30)], gateways: 2);

        // 600 tokens hold three of 151.
        Assert.Equal(3, Filled(replica));
    }

    [Fact]
    public void TryReserve_WhereOthersHaveTheSlots_GivesEverybodyAQuarterOfTheEvenShare()
    {
        var replica = Up(new() { Slots = 24 });
        replica.ObservePeers(new GatewayLoad(24, 24, 0, 0, 0), [], gateways: 2);

        Assert.Equal(3, Filled(replica));
    }

    [Fact]
    public void ObservePeers_WhenTheyEnd_WakesThoseWhoWait()
    {
        var replica = Up(new() { KvTokens = 400 });
        replica.ObservePeers(new GatewayLoad(2, 2, 300, 0, 100), [new Course(200, 50, 2)], gateways: 2);
        using var own = replica.TryReserve(Small, 1);
        var before = replica.TryReserve(Small, 1);
        var (woken, version) = (0, replica.RoomVersion);
        replica.RoomReturned += () => woken++;

        replica.ObservePeers(default, [], gateways: 1);
        replica.ObservePeers(default, [], gateways: 1);

        Assert.Null(before);
        Assert.Equal(1, woken);
        Assert.NotEqual(version, replica.RoomVersion);
        Assert.NotNull(replica.TryReserve(Small, 1));
    }

    [Fact]
    public void ObservePeers_OfAnswersThatShareTheSteps_TeachesTheStepAtTheBatchOfAll()
    {
        var (alone, shared) = (Up(new()), Up(new()));
        shared.ObservePeers(new GatewayLoad(31, 31, 3_100, 0, 0), [], gateways: 2);

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

    private static int Filled(Replica replica) =>
        Enumerable.Range(0, 20).Select(_ => replica.TryReserve(Small, 1)).TakeWhile(reservation => reservation is not null).Count();

    private Replica Up(ReplicaOptions options)
    {
        var replica = new Replica(options, new Uri("http://engine.test"), "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }
}
