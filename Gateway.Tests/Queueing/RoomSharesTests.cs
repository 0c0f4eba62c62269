using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>Room that a client beyond its share leaves free for the others. Ten slots, so each request is a tenth of the room; each is charged 200.</summary>
public sealed class RoomSharesTests(ITestOutputHelper output)
{
    private const ulong Flooder = 1;
    private const ulong Light = 2;

    [Theory]
    [InlineData("1 1 1", 6, double.PositiveInfinity)]
    [InlineData("1 1 9", 6, 4)]
    [InlineData("5 5 9", 6, 2)]
    [InlineData("1 3 9 9", 10, 3)]
    [InlineData("7", 6, 6)]
    public void LevelOf_WhatClientsWant_IsWhatTheLargestAreCutTo(string wanted, double room, double level)
    {
        var clients = wanted.Split(' ').Select(word => (double.Parse(word, System.Globalization.CultureInfo.InvariantCulture), 1.0)).ToArray();

        Assert.Equal(level, RoomShares.LevelOf(clients, room));
    }

    [Fact]
    public void LevelOf_WeightedClients_IsPerUnitOfWeight()
    {
        // Of 8: the one of weight 3 gets 6, the other 2.
        Assert.Equal(2, RoomShares.LevelOf([(9, 3), (9, 1)], 8));
    }

    [Fact]
    public void Enter_OfAClientThatFloods_LeavesFreeWhatTheOthersHeldAtTheirPeak()
    {
        using var world = World(headroom: 0.5);
        var flood = AfterAPeakOfThree(world);

        // Three tenths are kept: the seventh still fits, the eighth is held.
        Assert.Equal(7, flood.Count(IsIn));
        var others = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();
        Assert.All(others, entry => Assert.True(IsIn(entry)));
        others.ForEach(entry => entry.Done());
        flood.Where(IsIn).ToList().ForEach(entry => entry.Done());
        Assert.Contains(flood, entry => entry.Result?.HeldFor == HoldReason.Headroom);
    }

    [Fact]
    public void Enter_OfABacklogBesideABusyOne_LeavesFreeWhatThatOneHeld()
    {
        using var world = World(headroom: 0.5);
        var busy = Enumerable.Range(0, 4).Select(_ => Enter(world, Light)).ToList();
        var flood = Enumerable.Range(0, 16).Select(_ => Enter(world, Flooder)).ToList();

        // Sixteen are far more than four.
        busy.ForEach(entry => entry.Done());
        var again = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();

        Assert.All(again, entry => Assert.True(IsIn(entry)));
        Assert.InRange(flood.Count(IsIn), 5, 7);
    }

    [Theory]
    [InlineData(7, 3, 1, 4)]
    [InlineData(7, 3, 2, 7)]
    [InlineData(6, 4, 1, 6)]
    [InlineData(9, 1, 1, 8)]
    public void Enter_OfTheLargest_LeavesRoomOnlyWhereItWantsFarMorePerWeight(int large, int next, double weight, int inside)
    {
        using var world = World(headroom: 0.5);
        _ = Enumerable.Range(0, next).Select(_ => Enter(world, Light)).ToList();

        // Four as large as the other's three are half as many again by the root of their room: from then on it leaves free what the other held, and holds what it has.
        var largest = Enumerable.Range(0, large).Select(_ => Enter(world, Flooder, weight: weight)).ToList();

        Assert.Equal(inside, largest.Count(IsIn));
    }

    [Theory]
    [InlineData(1, 3)]
    [InlineData(180, 5)]
    public void Enter_OfWhoSentFarMoreRequestsLately_LeavesRoomBeforeItHoldsMore(int secondsAgo, int inside)
    {
        using var world = World(headroom: 0.5);
        for (var i = 0; i < 20; i++)
        {
            Enter(world, Flooder).Done();
        }
        world.Time.Advance(TimeSpan.FromSeconds(secondsAgo));
        _ = Enumerable.Range(0, 5).Select(_ => Enter(world, Light)).ToList();

        // A third is its share while three tenths are left free for the other's five; forgotten, five beside five are no flood.
        Assert.Equal(inside, Enumerable.Range(0, 6).Select(_ => Enter(world, Flooder)).Count(IsIn));
    }

    [Theory]
    [InlineData(2, 7, false)]
    [InlineData(3, 6, true)]
    public void Enter_OfWhoAsksForThreeTimesTheRoomInFewRequests_LeavesRoom(int light, int sequences, bool isIn)
    {
        using var world = World(headroom: 0.5);
        for (var i = 0; i < 10; i++)
        {
            Enter(world, Light).Done();
        }
        _ = Enumerable.Range(0, light).Select(_ => Enter(world, Light)).ToList();
        var large = world.Enter(CorePool.Request() with { TenantKey = Flooder }, CorePool.Cost(sequences: sequences));

        Assert.True(IsIn(large));
        Assert.Equal(isIn, IsIn(Enter(world, Flooder)));
    }

    [Fact]
    public void Enter_AfterAWait_CountsOnceAmongTheRequestsSent()
    {
        using var world = World(headroom: 0.5);
        var others = Enumerable.Range(3, 10).Select(tenant => Enter(world, (ulong)tenant)).ToList();
        var waited = Enumerable.Range(0, 3).Select(_ => Enter(world, Flooder)).ToList();
        others.ForEach(entry => entry.Done());
        _ = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();

        // Three of each; as six it would have to leave half of the room free.
        Assert.All(waited, entry => Assert.True(IsIn(entry)));
        Assert.True(IsIn(Enter(world, Flooder)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Enter_AfterAnAttemptThatFailed_CountsOnceAmongTheRequestsSent(bool waits)
    {
        using var world = World(headroom: 0.5);
        for (var i = 0; i < 3; i++)
        {
            Enter(world, Flooder).Done();
        }
        var others = Enumerable.Range(3, 10).Select(tenant => Enter(world, (ulong)tenant)).ToList();
        if (!waits)
        {
            others.ForEach(entry => entry.Done());
            others.Clear();
        }
        var again = Enumerable.Range(0, 3).Select(_ => Enter(world, Flooder, constraints: new Constraints([world.Pool.ReplicaList[0]]))).ToList();
        others.ForEach(entry => entry.Done());
        _ = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();

        // Three of each; as six it would have to leave half of the room free.
        Assert.All(again, entry => Assert.True(IsIn(entry)));
        Assert.True(IsIn(Enter(world, Flooder)));
    }

    [Fact]
    public void Enter_AfterOthersOfManyClientsWereIdleForAMinute_ForgetsWhatTheyHeld()
    {
        using var world = World(headroom: 0.5);
        for (var tenant = Light; tenant < 6; tenant++)
        {
            Enter(world, tenant).Done();
        }
        var before = Enumerable.Range(0, 10).Select(_ => Enter(world, Flooder)).ToList();

        // A tenth for each of the three whose peak was seen; the last left before anybody looked.
        Assert.Equal(7, before.Count(IsIn));
        world.Time.Advance(TimeSpan.FromSeconds(66));
        before[0].Done();
        Assert.Equal(10, before.Skip(1).Count(IsIn) + 1);
    }

    [Fact]
    public void Explain_OfAClientBeyondItsShare_NamesTheHeadroom()
    {
        using var world = World(headroom: 0.5);
        for (var i = 0; i < 10; i++)
        {
            Enter(world, Flooder).Done();
        }
        var light = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();
        var flood = Enumerable.Range(0, 7).Select(_ => Enter(world, Flooder)).ToList();
        light.ForEach(entry => entry.Done());

        Assert.All(flood, entry => Assert.True(IsIn(entry)));
        Assert.Equal(HoldReason.Headroom, HoldOf(Flooder));
        Assert.Equal(HoldReason.None, HoldOf(Light));

        HoldReason HoldOf(ulong tenant) => world.Dispatcher.Explain(CorePool.Request() with { TenantKey = tenant }, CorePool.Cost()).Hold;
    }

    [Fact]
    public void Enter_WithoutHeadroom_FillsTheRoom()
    {
        using var world = World(headroom: 0);

        Assert.Equal(10, AfterAPeakOfThree(world).Count(IsIn));
    }

    [Fact]
    public void RoomReturned_AfterTheOthersWereIdleForAMinute_FillsTheRoom()
    {
        using var world = World(headroom: 0.5);
        var flood = AfterAPeakOfThree(world);

        world.Time.Advance(TimeSpan.FromSeconds(66));
        flood[0].Done();

        Assert.Equal(11, flood.Count(IsIn));
    }

    [Fact]
    public void Enter_OfALowerClassBehindAHeldFlood_FindsTheRoomThatIsKept()
    {
        using var world = World(headroom: 0.5);
        AfterAPeakOfThree(world);

        Assert.True(IsIn(Enter(world, Light, PriorityClass.Batch)));
    }

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public void Enter_UnderARandomFlood_KeepsNoMoreThanItMayAndLetsEverybodyMove(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = World(headroom: 0.4);
        var (open, held) = (new List<CorePool.Entry>(), 0);
        for (var i = 0; i < 4_000; i++)
        {
            world.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(400)));
            if (open.Count < 60 && chance.Next(2) == 0)
            {
                open.Add(Enter(world, chance.Next(3) > 0 ? Flooder : (ulong)chance.Next(2, 6)));
            }
            else if (open.FindAll(IsIn) is { Count: > 0 } running)
            {
                var ended = running[chance.Next(running.Count)];
                open.Remove(ended);
                ended.Done();
            }
            var inside = open.Count(IsIn);
            held += inside < 10 && inside < open.Count ? 1 : 0;
            // Six tenths are anybody's, whatever is kept.
            Assert.True(inside >= Math.Min(open.Count, 6), $"round {i}: {inside} of {open.Count}");
        }
        Assert.True(held > 0, "nobody was ever held");
        while (open.Find(IsIn) is { } next)
        {
            open.Remove(next);
            next.Done();
        }
        Assert.Empty(open);
    }

    [Theory]
    [InlineData(1, 0, 4)]
    [InlineData(8, 0, 6)]
    [InlineData(1, 100, 6)]
    public void RoomReturned_OfAClientAheadOfAnother_LeavesMoreFreeIfThatIsUnusualForItAlone(int usually, int sentByTheOther, int inside)
    {
        using var world = World(headroom: 0.5);
        PassAnHour(world, usually, Flooder);
        Enumerable.Range(0, sentByTheOther).ToList().ForEach(_ => Enter(world, Light).Done());
        OneAfterAPeakOfFive(world);

        var flood = Enumerable.Range(0, 12).Select(_ => Enter(world, Flooder)).ToList();
        flood.FindAll(IsIn).Take(3).ToList().ForEach(entry => entry.Done());

        // A half instead of three tenths; not where eight are usual, nor where the other sends several times what it usually does, too.
        Assert.Equal(inside, flood.Count(IsIn) - 3);
    }

    [Fact]
    public void RoomReturned_OfTwoThatBothSendFarMoreThanUsual_StaysFreeForTheThird()
    {
        const ulong second = 3;
        using var world = World(headroom: 0.5);
        PassAnHour(world, 1, Flooder, second);
        OneAfterAPeakOfFive(world);

        var floods = Enumerable.Range(0, 24).Select(i => Enter(world, i % 2 == 0 ? Flooder : second)).ToList();
        floods.FindAll(IsIn).Take(4).ToList().ForEach(entry => entry.Done());

        // Nine went in before they were more than chance.
        Assert.Equal(9, floods.Count(IsIn));
        Assert.All(Enumerable.Range(0, 4).Select(_ => Enter(world, Light)), entry => Assert.True(IsIn(entry)));
    }

    // In every half minute the light one sends ten, each other so many; then nobody anything for a minute and a half.
    private static void PassAnHour(CorePool world, int requests, params ulong[] tenants)
    {
        for (var half = 0; half < 120; half++)
        {
            Enumerable.Range(0, 10).ToList().ForEach(_ => Enter(world, Light).Done());
            tenants.SelectMany(tenant => Enumerable.Repeat(tenant, requests)).ToList().ForEach(tenant => Enter(world, tenant).Done());
            world.Time.Advance(TimeSpan.FromSeconds(30));
        }
        world.Time.Advance(TimeSpan.FromSeconds(90));
    }

    private static void OneAfterAPeakOfFive(CorePool world) =>
        Enumerable.Range(0, 5).Select(_ => Enter(world, Light)).ToList().Skip(1).ToList().ForEach(entry => entry.Done());

    private static CorePool World(double headroom)
    {
        var world = new CorePool(slots: 10, queue: new QueueOptions { FairnessHeadroom = headroom, MaxWait = TimeSpan.FromHours(12) });
        world.Plan = world.Plan with { Order = new TokenCounterOrder(new FcfsOrder(), burstTokens: 1_600) };
        return world;
    }

    // The flooder was served far more; then the light one held three at once, and left.
    private static List<CorePool.Entry> AfterAPeakOfThree(CorePool world)
    {
        for (var i = 0; i < 10; i++)
        {
            Enter(world, Flooder).Done();
        }
        var light = Enumerable.Range(0, 3).Select(_ => Enter(world, Light)).ToList();
        var flood = new List<CorePool.Entry> { Enter(world, Flooder) };
        light.ForEach(entry => entry.Done());
        flood.AddRange(Enumerable.Range(0, 14).Select(_ => Enter(world, Flooder)));
        return flood;
    }

    private static bool IsIn(CorePool.Entry entry) => entry.Outcome == AdmissionOutcome.Admitted;

    private static CorePool.Entry Enter(CorePool world, ulong tenant, PriorityClass priority = PriorityClass.Default, double weight = 1, Constraints? constraints = null) =>
        world.Enter(CorePool.Request(priority: priority) with { TenantKey = tenant, TenantWeight = weight }, CorePool.Cost(), constraints);
}
