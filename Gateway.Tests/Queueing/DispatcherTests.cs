using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Turns: who goes when room returns, and what leaving does.</summary>
public sealed class DispatcherTests
{
    [Fact]
    public void Enter_WhileThereIsRoom_DecidesAtOnce()
    {
        using var world = new CorePool();

        var entry = world.Enter(CorePool.Request());

        Assert.Equal((AdmissionOutcome.Admitted, "r0", PlacementReason.OnlyChoice), (entry.Outcome, entry.Replica, entry.Result!.Value.Reason));
        Assert.Equal(TimeSpan.Zero, entry.Result.Value.Waited);
    }

    [Fact]
    public void Enter_WhenRoomReturns_AdmitsInTheOrderOfArrival()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request("a"));
        var second = world.Enter(CorePool.Request("b"));
        var third = world.Enter(CorePool.Request("c"));
        world.Time.Advance(TimeSpan.FromSeconds(3));

        running.Done();

        Assert.Equal(AdmissionOutcome.Admitted, second.Outcome);
        Assert.Equal(TimeSpan.FromSeconds(3), second.Result!.Value.Waited);
        Assert.Null(third.Outcome);
    }

    [Fact]
    public void Enter_BeforeAReplicaIsFree_SaysWhatItWaitedFor()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request("a"));
        var first = world.Enter(CorePool.Request("b"));
        var behind = world.Enter(CorePool.Request("c"));
        running.Done();
        first.Done();
        behind.Done();
        world.Pool.Find("r0")!.BackOff(TimeSpan.FromSeconds(2));
        var later = world.Enter(CorePool.Request("d"));
        world.Time.Advance(TimeSpan.FromSeconds(2));

        var held = new[] { running, first, behind, later }.Select(entry => entry.Result!.Value.HeldFor);

        Assert.Equal([HoldReason.None, HoldReason.Room, HoldReason.Turn, HoldReason.Recovery], held);
    }

    [Fact]
    public void Enter_WhenRoomReturns_AdmitsTheMostUrgentFirst()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request("a"));
        var batch = world.Enter(CorePool.Request("batch", PriorityClass.Batch));
        var normal = world.Enter(CorePool.Request("default"));
        var urgent = world.Enter(CorePool.Request("interactive", PriorityClass.Interactive));
        var mostUrgent = world.Enter(CorePool.Request("level", PriorityClass.Interactive, level: 5));

        var order = CorePool.Drain(running, batch, normal, urgent, mostUrgent);

        Assert.Equal(["level", "interactive", "default", "batch"], order);
    }

    [Theory]
    [InlineData(0.0, 0, 0)]
    [InlineData(0.1, 10, 0)]
    [InlineData(0.5, 50, 0)]
    [InlineData(0.9, 90, 0)]
    [InlineData(0.5, 25, 25)]
    public void Enter_WhileAllClassesWait_GivesLowerOnesTheirShareOfTurns(double share, int batch, int normal)
    {
        using var world = new CorePool(queue: new QueueOptions { ReservedShare = share, MaxWaiting = 10_000 });
        var running = world.Enter(CorePool.Request("first"));
        var waiting = new List<CorePool.Entry>();
        for (var i = 0; i < 100; i++)
        {
            waiting.Add(world.Enter(CorePool.Request("interactive", PriorityClass.Interactive)));
            waiting.Add(world.Enter(CorePool.Request("batch", PriorityClass.Batch)));
            if (normal > 0)
            {
                waiting.Add(world.Enter(CorePool.Request("default")));
            }
        }

        var order = CorePool.Drain(running, [.. waiting]).Take(100).ToList();

        // The first turns are still saved up for.
        Assert.InRange(order.Count(id => id == "batch"), Math.Max(0, batch - 2), batch);
        Assert.InRange(order.Count(id => id == "default"), Math.Max(0, normal - 2), normal);
    }

    [Fact]
    public void Cancel_WhileWaiting_LetsTheSmallerOneBehindGo()
    {
        using var world = new CorePool(slots: null, kvTokens: 1_000, queue: new QueueOptions { OvertakingLimit = TimeSpan.Zero });
        var running = world.Enter(CorePool.Request("running"), CorePool.Cost(400, 100));
        var large = world.Enter(CorePool.Request("large"), CorePool.Cost(800, 100));
        var small = world.Enter(CorePool.Request("small"), CorePool.Cost(100, 100));
        Assert.Equal((null, null), (large.Outcome, small.Outcome));

        large.Waiter!.Cancel();

        Assert.Equal(AdmissionOutcome.CanceledByClient, large.Outcome);
        Assert.Equal(AdmissionOutcome.Admitted, small.Outcome);
        Assert.Equal(AdmissionOutcome.Admitted, running.Outcome);
    }

    [Fact]
    public void Cancel_AfterTheDecision_ChangesNothing()
    {
        using var world = new CorePool();
        var entry = world.Enter(CorePool.Request());

        entry.Waiter!.Cancel();

        Assert.Equal((1, AdmissionOutcome.Admitted), (entry.TimesTold, entry.Outcome));
        Assert.Equal(1, world.Pool.Replicas[0].Snapshot().RunningRequests);
    }

    [Fact]
    public void Enter_WithoutHolding_OverfillsTheReplica()
    {
        using var world = new CorePool();
        world.Plan = world.Plan with { Admission = new NoAdmission() };

        var entries = Enumerable.Range(0, 5).Select(_ => world.Enter(CorePool.Request())).ToList();

        Assert.All(entries, entry => Assert.Equal(AdmissionOutcome.Admitted, entry.Outcome));
    }

    [Fact]
    public void Close_WhileSomeWait_RefusesNewOnesAndKeepsTheirTurn()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request());
        var waiting = world.Enter(CorePool.Request());

        world.Dispatcher.Close();
        var late = world.Enter(CorePool.Request());
        running.Done();

        Assert.Equal(AdmissionOutcome.RejectedShuttingDown, late.Outcome);
        Assert.Equal(AdmissionOutcome.Admitted, waiting.Outcome);
    }

    [Fact]
    public void Dispose_WhileSomeWait_TellsEachOnceAndForgetsItsTimers()
    {
        using var world = new CorePool(replicas: 2);
        var running = new[] { world.Enter(CorePool.Request()), world.Enter(CorePool.Request()) };
        var waiting = new[] { world.Enter(CorePool.Request()), world.Enter(CorePool.Request(), constraints: new Constraints([], world.Pool.Replicas[1])) };

        world.Dispatcher.Dispose();
        world.Dispatcher.Dispose();
        running[0].Done();

        Assert.All(waiting, entry => Assert.Equal((1, AdmissionOutcome.RejectedShuttingDown), (entry.TimesTold, entry.Outcome!.Value)));
        Assert.Equal(0, world.Time.ActiveTimers);
    }

    [Fact]
    public async Task EnterAsync_WithATokenCanceledBefore_NeverEnters()
    {
        using var world = new CorePool();

        var result = await world.Dispatcher.EnterAsync(CorePool.Request(), CorePool.Cost(), Constraints.None, new CancellationToken(true));

        Assert.Equal(AdmissionOutcome.CanceledByClient, result.Outcome);
        Assert.Equal(0, world.Pool.Replicas[0].Snapshot().RunningRequests);
    }

    [Fact]
    public async Task EnterAsync_CanceledWhileWaiting_CostsNothing()
    {
        using var world = new CorePool();
        var running = world.Enter(CorePool.Request());
        using var leaves = new CancellationTokenSource();
        var turn = world.Dispatcher.EnterAsync(CorePool.Request(), CorePool.Cost(), Constraints.None, leaves.Token);

        await leaves.CancelAsync();
        var result = await turn;
        running.Done();

        Assert.Equal(AdmissionOutcome.CanceledByClient, result.Outcome);
        Assert.Equal(0, world.Pool.Replicas[0].Snapshot().RunningRequests);
    }

    [Fact]
    public void Explain_Asked_ChangesNoDecisionAndTellsEveryReplica()
    {
        using var world = new CorePool(replicas: 20, slots: 1);
        world.Enter(CorePool.Request());

        var told = world.Dispatcher.Explain(CorePool.Request(), CorePool.Cost());

        Assert.Equal(world.Pool.ReplicaList.Select(replica => replica.Id), told.Candidates.Select(line => line.Candidate.Replica.Id));
        Assert.Single(told.Candidates, line => !line.HasRoom);
        Assert.All(told.Candidates, line => Assert.Equal(line.CostSeconds, line.Parts.Sum(part => part.Seconds), 9));
        Assert.True(told is { Hold: HoldReason.None, Refusal: null, WaitSeconds: 0 } && told.Candidates[told.Best!.Value].HasRoom);
        Assert.Equal(1, world.Pool.ReplicaList.Sum(replica => replica.Snapshot().RunningRequests));
    }

    [Fact]
    public void Explain_OfOneThatOnlyOneReplicaCanAnswer_NamesThatOneOrRefuses()
    {
        using var world = new CorePool(replicas: 3, slots: 1);
        var holder = world.Pool.ReplicaList[1];
        var bound = new Constraints([], holder);

        var free = world.Dispatcher.Explain(CorePool.Request(), CorePool.Cost(), bound);
        holder.SetDraining(true);
        var drained = world.Dispatcher.Explain(CorePool.Request(), CorePool.Cost(), bound);

        Assert.Equal((1, HoldReason.None, null), (free.Best, free.Hold, free.Refusal));
        Assert.Equal((null, AdmissionOutcome.RejectedNoReplica), (drained.Best, drained.Refusal));
    }

    [Fact]
    public void Explain_OfOneThatWouldGoBeforeAllWhoWait_SaysThatItWouldBeSentWhereItFits()
    {
        using var world = new CorePool(slots: null, kvTokens: 1_000);
        world.Enter(CorePool.Request(), CorePool.Cost(700, 100));
        world.Enter(CorePool.Request(), CorePool.Cost(700, 100));
        var urgent = CorePool.Request() with { Priority = PriorityClass.Interactive };

        var (small, large, last) = (HoldOf(urgent, CorePool.Cost(20, 10)), HoldOf(urgent, CorePool.Cost(700, 100)), HoldOf(CorePool.Request(), CorePool.Cost(20, 10)));

        Assert.Equal((HoldReason.None, HoldReason.Room, HoldReason.Turn), (small, large, last));
        Assert.Equal(AdmissionOutcome.Admitted, world.Enter(urgent, CorePool.Cost(20, 10)).Outcome);

        HoldReason HoldOf(InferenceRequest request, Gateway.Estimation.RequestEstimate cost) => world.Dispatcher.Explain(request, cost).Hold;
    }

    [Theory]
    [InlineData("least_delay", PlacementReason.Prefix)]
    [InlineData("lmetric", PlacementReason.Prefix)]
    [InlineData("round_robin", PlacementReason.LeastLoad)]
    [InlineData("least_requests", PlacementReason.LeastLoad)]
    public void Enter_WhereThePromptIsCached_SaysSoOnlyUnderAPolicyThatLooks(string policy, PlacementReason expected)
    {
        using var world = new CorePool(replicas: 2, slots: 8, routing: new RoutingOptions { Policy = policy });
        ulong[] blocks = [1, 2, 3, 4, 5, 6, 7, 8];
        var reasons = Enumerable.Range(0, 4).Select(_ => world.Enter(CorePool.Request(blocks: blocks, promptTokens: 800), CorePool.Cost(800)).Result!.Value.Reason).ToArray();

        Assert.Equal(expected, reasons[^1]);
    }

    [Theory]
    [InlineData("sticky", PlacementReason.Session)]
    [InlineData("random", PlacementReason.LeastLoad)]
    public void Enter_OfASession_SaysThatItDecidedOnlyUnderAPolicyThatLooks(string policy, PlacementReason expected)
    {
        using var world = new CorePool(replicas: 2, slots: 8, routing: new RoutingOptions { Policy = policy });
        var reasons = Enumerable.Range(0, 6).Select(_ => world.Enter(CorePool.Request(session: 3)).Result!.Value.Reason).ToArray();

        Assert.All(reasons[1..], reason => Assert.Equal(expected, reason));
    }
}
