using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Every prompt begins with the same 1,300 tokens. Some of three replicas hold them and are busy with two answers each; the last is idle and holds nothing.</summary>
public sealed class CopyTests
{
    private const int PromptTokens = 1_300;
    private const string Idle = "r2";

    private static readonly ulong[] Shared = [.. Enumerable.Range(1, PromptTokens / 10).Select(block => (ulong)block)];

    [Fact]
    public void Enter_OfABeginningThatManyAskFor_CopiesItOnceWhatWasLostForWantOfItPaysForIt()
    {
        using var world = HeldBy(2);
        var forgone = 0.0;
        CorePool.Entry entry;
        Explanation told;
        do
        {
            told = world.Dispatcher.Explain(Request(), Cost());
            Assert.True(Forgone(told) > forgone || forgone == 0, $"{Forgone(told)} s are forgone after {forgone} s");
            forgone = Forgone(told);
            entry = Enter(world);
            Assert.Equal(told.Candidates[told.Best!.Value].Candidate.Replica.Id == Idle, entry.Replica == Idle);
            entry.Done();
        }
        while (entry.Replica != Idle);

        var elsewhere = told.Candidates.Where(candidate => candidate.Candidate.Replica.Id != Idle).Min(candidate => candidate.CostSeconds);
        Assert.Equal(PlacementReason.Copy, entry.Result!.Value.Reason);
        Assert.InRange(CostOfIdle(told) + forgone - elsewhere, 0, forgone);
        Assert.Equal(PlacementReason.Prefix, Enter(world).Result!.Value.Reason);
    }

    [Fact]
    public void Enter_OfABeginningThatOneHolds_CopiesNothingToAReplicaThatHoldsSomethingElse()
    {
        using var world = HeldBy(1);
        var other = CorePool.Request(blocks: [7_001, 7_002], promptTokens: PromptTokens);
        world.Prefixes.Record(other, Cost(), world.Pool.Replicas.ToArray().Single(replica => replica.Id == Idle).Slot, null, world.Routing);

        for (var i = 0; i < 200; i++)
        {
            var entry = Enter(world);
            Assert.Equal(("r0", PlacementReason.Prefix), (entry.Replica, entry.Result!.Value.Reason));
            entry.Done();
        }
    }

    [Fact]
    public void Enter_OfABeginningThatOneHolds_CopiesItToAReplicaThatHoldsNothing()
    {
        using var world = HeldBy(1);

        var entries = EntriesUntilCopied(world);

        Assert.InRange(entries, 2, 100);
        Assert.Equal((Idle, PlacementReason.Prefix), (Enter(world).Replica, Enter(world).Result!.Value.Reason));
    }

    [Fact]
    public void Enter_UnderAPolicyWithoutItsCosts_CopiesNothing()
    {
        using var world = HeldBy(2, new RoutingOptions { Policy = "preble" });

        for (var i = 0; i < 200; i++)
        {
            var entry = Enter(world);
            Assert.NotEqual(PlacementReason.Copy, entry.Result!.Value.Reason);
            entry.Done();
        }
    }

    [Fact]
    public void Add_MoreThanIsThere_LeavesNothing()
    {
        var savings = new ForgoneSavings(new ManualTime());

        savings.Add(7, 2);
        savings.Add(8, 5);
        savings.Add(7, -0.5);
        savings.Add(8, -6);

        Assert.Equal((1.5, 0, 0), (savings.Of(7), savings.Of(8), savings.Of(9)));
    }

    [Fact]
    public void Of_WhatWasLostAMinuteAgo_IsATwentiethOfIt()
    {
        var time = new ManualTime();
        var savings = new ForgoneSavings(time);

        savings.Add(7, 2);
        time.Advance(TimeSpan.FromMinutes(1));

        Assert.InRange(savings.Of(7), 0.09, 0.11);
    }

    [Fact]
    public void Enter_OfABeginningThatIsAskedForOnceAMinute_CopiesNothing()
    {
        using var world = HeldBy(2);

        for (var i = 0; i < 200; i++)
        {
            var entry = Enter(world);
            Assert.Equal(PlacementReason.Prefix, entry.Result!.Value.Reason);
            entry.Done();
            world.Time.Advance(TimeSpan.FromMinutes(1));
        }
    }

    [Fact]
    public void Enter_WhereTheRoomOfTheOneThatLacksItIsTaken_CopiesLater()
    {
        var entriesWithAmpleRoom = EntriesUntilCopied(kvTokens: 1_000_000);
        // A third of it is given out.
        var entriesWithTwoThirdsFree = EntriesUntilCopied(kvTokens: 6_300);

        Assert.InRange(entriesWithTwoThirdsFree / (double)entriesWithAmpleRoom, 1.3, 1.7);
    }

    private static int EntriesUntilCopied(long kvTokens)
    {
        using var world = HeldBy(2, kvTokens: kvTokens);
        world.Pool.Replicas.ToArray().Single(replica => replica.Id == Idle).TryReserve(new LoadProfile(100, 0, 2_000, 1), new NoAdmission(), 1)!.OnFirstToken();
        return EntriesUntilCopied(world);
    }

    private static int EntriesUntilCopied(CorePool world)
    {
        for (var entries = 1; ; entries++)
        {
            var entry = Enter(world);
            entry.Done();
            if (entry.Replica == Idle)
            {
                Assert.Equal(PlacementReason.Copy, entry.Result!.Value.Reason);
                return entries;
            }
            Assert.InRange(entries, 1, 1_000);
        }
    }

    private static CorePool HeldBy(int holders, RoutingOptions? routing = null, long? kvTokens = null)
    {
        var world = new CorePool(holders + 1, slots: null, routing: routing);
        // Those that hold nothing keep the last name, so that it is the same in every test.
        world.SetReplicas([.. Enumerable.Range(0, 3).Where(i => i < holders || i == 2).Select(i => CorePool.Place(i, slots: null, kvTokens))]);
        foreach (var replica in world.Pool.Replicas.ToArray().Where(replica => replica.Id != Idle))
        {
            world.Prefixes.Record(Request(), Cost(), replica.Slot, null, world.Routing);
            for (var i = 0; i < 2; i++)
            {
                replica.TryReserve(new LoadProfile(100, 0, 2_000, 1), new NoAdmission(), 1)!.OnFirstToken();
            }
        }
        return world;
    }

    private static CorePool.Entry Enter(CorePool world) => world.Enter(Request(), Cost());

    private static InferenceRequest Request() => CorePool.Request(blocks: Shared, promptTokens: PromptTokens);

    private static RequestEstimate Cost() => CorePool.Cost(PromptTokens, 40);

    private static double CostOfIdle(Explanation told) => told.Candidates.Single(candidate => candidate.Candidate.Replica.Id == Idle).CostSeconds;

    private static double Forgone(Explanation told) =>
        -told.Candidates.Single(candidate => candidate.Candidate.Replica.Id == Idle).Parts.Where(part => part.Scorer == "forgone").Sum(part => part.Seconds);
}
