using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Prompts of 1,000 tokens in a hundred blocks: 89 ms of engine time where nothing of them is cached, and answers of 50 tokens: 30 ms.</summary>
public sealed class PrefixRanksTests
{
    private static readonly ulong[] Shared = Blocks(1);

    [Theory]
    [InlineData("sjf", "C B")]
    [InlineData("wspt", "C B")]
    [InlineData("boost", "C B")]
    [InlineData("fcfs", "B C")]
    [InlineData("edf", "B C")]
    public void Drain_WithAPromptThatIsCached_CountsTheTimeThatIsLeftToCompute(string order, string expected)
    {
        using var world = World(order);
        var running = Enter(world, "A", Shared);

        var drained = CorePool.Drain(running, Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared));

        Assert.Equal(expected, string.Join(' ', drained));
    }

    [Theory]
    [InlineData("round_robin", true)]
    [InlineData("least_delay", false)]
    public void Drain_WhereRequestsAreNotSentToWhatIsCached_CountsWholePrompts(string policy, bool remembers)
    {
        using var world = World("sjf", new RoutingOptions { Policy = policy, Prefix = new() { Enabled = remembers } });
        var running = Enter(world, "A", Shared);

        var drained = CorePool.Drain(running, Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared));

        Assert.Equal(["B", "C"], drained);
    }

    [Fact]
    public void Drain_WithAPromptThatIsCachedWhileItWaits_LetsItPass()
    {
        using var world = World("sjf");
        var running = Enter(world, "A", Blocks(1_000));
        var waiting = new[] { Enter(world, "B", Blocks(2_000)), Enter(world, "C", Shared), Enter(world, "brings", Shared, PriorityClass.Interactive) };

        Assert.Equal(["brings", "C", "B"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Drain_WithAPromptThatIsCachedNoMore_LetsItWaitForItsTurn()
    {
        using var world = World("sjf");
        var running = Enter(world, "A", Shared);
        var waiting = new[] { Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared) };

        world.Prefixes.Forget(world.Pool.ReplicaList[0].Slot);

        Assert.Equal(["B", "C"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Drain_WithSomeThatAreCachedNoMore_PassesThemAtOnce()
    {
        using var world = World("sjf");
        var running = Enter(world, "A", Shared);
        var shorter = Enter(world, "B", [], tokens: 500);
        var waiting = new[] { Enter(world, "C", Shared), Enter(world, "D", Shared), Enter(world, "E", Shared), shorter };

        world.Prefixes.Forget(world.Pool.ReplicaList[0].Slot);

        // B has 44 ms left to compute, each of the others 89, until the first of them brings what they share.
        Assert.Equal(["B", "C", "D", "E"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Drain_WithAPromptThatOnlyAReplicaHoldsThatIsDown_LetsItWaitForItsTurn()
    {
        using var world = World("sjf", replicas: 2);
        var running = Enter(world, "A", Blocks(3_000));
        var holder = Enter(world, "holder", Shared);
        var waiting = new[] { Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared), Enter(world, "next", Blocks(2_000), PriorityClass.Interactive) };

        world.Pool.Find(holder.Replica!)!.OnProbed(ReplicaHealth.Down);

        Assert.NotEqual(running.Replica, holder.Replica);
        Assert.Equal(["next", "B", "C"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Drain_WithAPromptThatFailedWhereItIsHeld_LetsItWaitForItsTurn()
    {
        using var world = World("sjf");
        var running = Enter(world, "A", Shared);
        var failed = new Constraints([world.Pool.ReplicaList[0]]);

        var drained = CorePool.Drain(running, Enter(world, "B", Blocks(1_000)), world.Enter(Request("C", Shared), CorePool.Cost(1_000), failed));

        Assert.Equal(["B", "C"], drained);
    }

    [Theory]
    [InlineData("vtc")]
    [InlineData("dlpm")]
    public void Drain_UnderAFairness_CountsWhatIsCachedAmongOneClientsRequests(string fairness)
    {
        using var world = World("sjf");
        world.Plan = world.Plan with { Order = QueueOrders.Create(new QueueOptions { Order = "sjf", Fairness = Enum.Parse<FairnessMode>(fairness, ignoreCase: true) }, new CachedBeginnings()) };
        var running = Enter(world, "A", Shared);

        var drained = CorePool.Drain(running, Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared), Enter(world, "D", Blocks(2_000)));

        Assert.Equal(["C", "B", "D"], drained);
    }

    [Fact]
    public void Drain_AfterAChangeOfTheOrder_KeepsTheKeysOfThoseWhoWaited()
    {
        using var world = World("sjf");
        world.Time.Advance(TimeSpan.FromHours(1));
        var running = Enter(world, "A", Shared);
        var waiting = new[] { Enter(world, "B", Blocks(1_000)), Enter(world, "C", Shared) };

        world.Plan = world.Plan with { Order = new FcfsOrder() };
        world.Prefixes.Forget(world.Pool.ReplicaList[0].Slot);

        Assert.Equal(["C", "B"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Drain_WithOneThatGaveUpItsPlace_KeepsWhereItStood()
    {
        using var world = World("sjf");
        var running = Enter(world, "A", Shared);
        var before = new Waiter(world.Dispatcher, Request("C", Shared), CorePool.Cost(1_000), Constraints.None, _ => { }) { Rank = 0.01, Sequence = 99 };
        var gaveUp = Constraints.None with { GaveUp = new Seat(new Seats(), before, running.Result!.Value.Reservation!) };
        var waiting = new[] { Enter(world, "B", Blocks(1_000)), world.Enter(before.Request, before.Estimate, gaveUp) };

        world.Prefixes.Forget(world.Pool.ReplicaList[0].Slot);

        Assert.Equal(["C", "B"], CorePool.Drain(running, waiting));
    }

    [Fact]
    public void Explain_UnderABoostThatFollowsTheWaits_RanksAUsualRequestByItsArrival()
    {
        using var world = World("boost", slots: null);
        world.Plan = world.Plan with { Order = new BoostOrder(null) };
        for (var i = 0; i < 1_000; i++)
        {
            Enter(world, "A", Shared).Done();
        }
        world.Time.Advance(TimeSpan.FromHours(1));
        Enter(world, "A", Shared).Done();

        // Were whole prompts usual, every cached one would be 14 s ahead, and more with every wait that grows.
        Assert.Equal(3_600, world.Dispatcher.Explain(Request("B", Shared), CorePool.Cost(1_000)).Rank, 1.0);
    }

    [Fact]
    public void AheadByShadow_OfAPromptThatIsCached_IsAsThatOrderWouldDecide()
    {
        using var world = World("fcfs");
        var shadow = RoutingPolicies.Plan(world.Routing, new Random(5));
        world.Plan = world.Plan with { Shadow = new Router(() => shadow, new Random(7)), ShadowOrder = QueueOrders.Create(new QueueOptions { Order = "sjf" }, new CachedBeginnings()) };
        Enter(world, "A", Shared);
        Enter(world, "B", Blocks(1_000));
        Enter(world, "C", Shared);

        var cached = world.Dispatcher.AheadByShadow(Request("D", Shared, PriorityClass.Default), CorePool.Cost(1_000, 49));
        var other = world.Dispatcher.AheadByShadow(Request("E", Blocks(2_000)), CorePool.Cost(1_000, 49));

        Assert.Equal((0, 1), (cached, other));
    }

    [Fact]
    public void Explain_OfAPromptThatIsCached_RanksItAsItWouldWait()
    {
        using var world = World("sjf");
        Enter(world, "A", Shared);
        Enter(world, "B", Blocks(1_000));

        var cached = world.Dispatcher.Explain(Request("C", Shared), CorePool.Cost(1_000));
        var other = world.Dispatcher.Explain(Request("D", Blocks(2_000)), CorePool.Cost(1_000));

        Assert.Equal((0, 1), (cached.Ahead, other.Ahead));
        Assert.Equal(999 * 0.0885e-3, other.Rank - cached.Rank, 1e-6);
    }

    [Fact]
    public void Enter_WithAPromptThatIsCached_TellsTheEngineSo()
    {
        using var world = World("sjf", slots: null);
        world.Pool.Reconfigure(new ModelOptions { Name = "m", EnginePriority = EnginePriority.LowerFirst }, new FaultLimits(3, TimeSpan.FromSeconds(10)));

        var first = Enter(world, "A", Shared).Result!.Value.EnginePriority;
        var second = Enter(world, "B", Shared).Result!.Value.EnginePriority;

        // Whole milliseconds of 118.5 and 30.1.
        Assert.Equal((118, 30), (first, second));
    }

    [Fact]
    public void At_OfARound_IsEverybodyOnce()
    {
        using var world = new CorePool();
        var queues = new ClassQueues();
        var waiting = Enumerable.Range(0, 30).Select(i => new Waiter(world.Dispatcher, CorePool.Request($"{i}", (PriorityClass)(i % 3)), CorePool.Cost(), Constraints.None, _ => { })).ToList();
        var nobody = queues.At(5);
        waiting.ForEach(queues.Add);

        var round = Enumerable.Range(0, 30).Select(i => queues.At(uint.MaxValue - 40 + (uint)i)!.Request.Id);

        Assert.Null(nobody);
        Assert.Equal(waiting.Select(waiter => waiter.Request.Id).Order(), round.Order());
    }

    private static CorePool World(string order, RoutingOptions? routing = null, int? slots = 1, int replicas = 1)
    {
        var world = new CorePool(replicas, slots, routing: routing);
        world.Plan = world.Plan with { Order = QueueOrders.Create(new QueueOptions { Order = order, BoostPerSecond = 0.05 }, new CachedBeginnings()) };
        return world;
    }

    private static ulong[] Blocks(ulong first) => [.. Enumerable.Range(0, 100).Select(block => first + (ulong)block)];

    private static InferenceRequest Request(string id, ulong[] blocks, PriorityClass priority = PriorityClass.Default, int tokens = 1_000) =>
        CorePool.Request(id, priority, blocks: blocks, promptTokens: tokens);

    private static CorePool.Entry Enter(CorePool world, string id, ulong[] blocks, PriorityClass priority = PriorityClass.Default, int tokens = 1_000) =>
        world.Enter(Request(id, blocks, priority, tokens), CorePool.Cost(tokens));
}
