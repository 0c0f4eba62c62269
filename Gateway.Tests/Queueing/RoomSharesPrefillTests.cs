using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>The engines' time for prompts under fairness.</summary>
public sealed class RoomSharesPrefillTests
{
    private const ulong Flooder = 1;
    private const ulong Light = 2;

    [Theory]
    [InlineData(1, 1, 5)]
    [InlineData(2_000, 1, 20)]
    [InlineData(1, 20, 20)]
    public void Enter_OfPromptsFarBeyondUsual_IsHeldWhereTheyTakeTheEnginesTime(int outputTokens, int usually, int inside)
    {
        using var world = World(kvTokens: 10_000_000);
        PassAnHour(world, usually);
        Enter(world, Light, 100, 50);

        var flood = Flood(world, outputTokens);

        // Four are no more than chance: the fifth finds the others ended, all after it find those in flight.
        Assert.Equal(inside, flood.Count(IsIn));
        Assert.True(IsIn(Enter(world, Light, 100, 50)));
    }

    [Fact]
    public void RoomReturned_OfPromptsFarBeyondUsual_AlwaysLetsOneIn()
    {
        using var world = World(kvTokens: 10_000_000);
        PassAnHour(world, requests: 1);
        Enter(world, Light, 100, 50);
        var waiting = Flood(world);

        for (var served = 0; waiting.Find(IsIn) is { } next; served++)
        {
            waiting.Remove(next);
            next.Done();
            Assert.True(waiting.Count == 0 || waiting.Exists(IsIn), $"nobody moves after {served}");
        }

        Assert.Empty(waiting);
    }

    [Fact]
    public void Enter_OfPromptsFarBeyondUsualWhereNobodyElseIs_HoldsNone()
    {
        using var world = World(kvTokens: 10_000_000);
        PassAnHour(world, requests: 1);

        Assert.All(Flood(world), entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Enter_AfterAFloodOfWhichNoneEndedAlike_IsHeldByNothingOfIt()
    {
        using var world = World(kvTokens: 10_000_000);
        PassAnHour(world, requests: 1);
        Enter(world, Light, 100, 50);
        var flood = Flood(world);
        flood.Where(entry => !IsIn(entry)).Take(5).ToList().ForEach(entry => entry.Waiter!.Cancel());

        // Those in flight outlive their replica; the others come in at another, one after the other.
        world.SetReplicas([CorePool.Place(1, slots: null, kvTokens: 10_000_000)]);
        while (flood.Find(IsIn) is { } next)
        {
            flood.Remove(next);
            next.Done();
        }

        Assert.Equal(5, flood.Count);
        Assert.All(Enumerable.Range(0, 5).Select(_ => Enter(world, Flooder, 100, 50)).ToList(), entry => Assert.True(IsIn(entry)));
    }

    [Fact]
    public void Enter_OfPromptsFarBeyondUsualWhereNoRoomIsKnown_HoldsNone()
    {
        using var world = World(kvTokens: null);
        PassAnHour(world, requests: 1);
        Enter(world, Light, 100, 50);

        Assert.All(Flood(world), entry => Assert.True(IsIn(entry)));
    }

    private static List<CorePool.Entry> Flood(CorePool world, int outputTokens = 1) =>
        [.. Enumerable.Range(0, 20).Select(_ => Enter(world, Flooder, 2_000, outputTokens))];

    // In every half minute each sends so many; then nobody anything for a minute and a half.
    private static void PassAnHour(CorePool world, int requests)
    {
        for (var half = 0; half < 120; half++)
        {
            Enumerable.Range(0, requests).ToList().ForEach(_ => Enter(world, Flooder, 100, 50).Done());
            Enumerable.Range(0, 10).ToList().ForEach(_ => Enter(world, Light, 100, 50).Done());
            world.Time.Advance(TimeSpan.FromSeconds(30));
        }
        world.Time.Advance(TimeSpan.FromSeconds(90));
    }

    private static CorePool World(long? kvTokens)
    {
        var world = new CorePool(slots: null, kvTokens: kvTokens, queue: new QueueOptions { FairnessHeadroom = 0.5, MaxWait = TimeSpan.FromHours(12) });
        world.Plan = world.Plan with { Order = new TokenCounterOrder(new FcfsOrder(), burstTokens: 1_600) };
        return world;
    }

    private static bool IsIn(CorePool.Entry entry) => entry.Outcome == AdmissionOutcome.Admitted;

    private static CorePool.Entry Enter(CorePool world, ulong tenant, int promptTokens, int outputTokens) =>
        world.Enter(CorePool.Request(promptTokens: promptTokens) with { TenantKey = tenant }, CorePool.Cost(promptTokens, outputTokens));
}
