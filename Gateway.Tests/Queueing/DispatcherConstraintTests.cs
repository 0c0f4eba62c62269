using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Requests that only some replicas may answer, and replicas that pause.</summary>
public sealed class DispatcherConstraintTests
{
    [Fact]
    public void Enter_WhileTheOnlyReplicaBacksOff_IsAdmittedByTimeAlone()
    {
        using var world = new CorePool();
        world.Pool.Replicas[0].BackOff(TimeSpan.FromSeconds(2));
        var entry = world.Enter(CorePool.Request());
        var before = entry.Outcome;

        world.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, entry.Outcome);
    }

    [Fact]
    public void Enter_WhileTheTrialOfASuspendedReplicaFails_IsTriedAgainAfterTheNextPause()
    {
        using var world = new CorePool(replicas: 2, queue: new QueueOptions { MaxWait = TimeSpan.FromMinutes(5) });
        world.Enter(CorePool.Request("elsewhere"), constraints: new Constraints([], world.Pool.Replicas[1]));
        var running = world.Enter(CorePool.Request("running"));
        var trial = world.Enter(CorePool.Request("trial"));
        var behind = world.Enter(CorePool.Request("behind"));
        Fail(world, 3);
        running.Done();
        world.Time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal((AdmissionOutcome.Admitted, (AdmissionOutcome?)null), (trial.Outcome, behind.Outcome));

        Fail(world, 1);
        trial.Done();
        world.Time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        var before = behind.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, behind.Outcome);
    }

    [Fact]
    public void Enter_ForAReplicaThatIsBusy_HoldsUpNobodyElse()
    {
        using var world = new CorePool(replicas: 2);
        var first = world.Enter(CorePool.Request("a"), constraints: new Constraints([], world.Pool.Replicas[0]));
        var pinned = world.Enter(CorePool.Request("pinned"), constraints: new Constraints([], world.Pool.Replicas[0]));

        var other = world.Enter(CorePool.Request("b"));
        var third = world.Enter(CorePool.Request("c"));
        other.Done();
        var waits = pinned.Outcome;
        first.Done();

        Assert.Equal(("r1", "r1"), (other.Replica, third.Replica));
        Assert.Null(waits);
        Assert.Equal("r0", pinned.Replica);
    }

    [Fact]
    public void Enter_ForAReplicaThatLeaves_IsToldSoAndNeverSentToWhoeverTakesItsSlot()
    {
        using var world = new CorePool(replicas: 2);
        var holder = world.Pool.Replicas[0];
        world.Enter(CorePool.Request("running"), constraints: new Constraints([], holder));
        var pinned = world.Enter(CorePool.Request("pinned"), constraints: new Constraints([], holder));

        world.SetReplicas([CorePool.Place(1)]);
        var told = pinned.Outcome;
        world.SetReplicas([CorePool.Place(1), CorePool.Place(2)]);
        var late = world.Enter(CorePool.Request("late"), constraints: new Constraints([], holder));

        Assert.Equal(holder.Slot, world.Pool.Replicas[1].Slot);
        Assert.Equal((AdmissionOutcome.RejectedHolderGone, 1), (told, pinned.TimesTold));
        Assert.Equal(AdmissionOutcome.RejectedHolderGone, late.Outcome);
        Assert.Null(late.Result!.Value.RetryAfter);
    }

    [Fact]
    public void Enter_WithReplicasToAvoid_WaitsForTheOthersWhileTheyWork()
    {
        using var world = new CorePool(replicas: 2, slots: 1);
        var avoided = world.Pool.Replicas[0];
        var first = world.Enter(CorePool.Request(), constraints: new Constraints([avoided]));
        var second = world.Enter(CorePool.Request(), constraints: new Constraints([avoided]));
        var waits = second.Outcome;

        first.Done();

        Assert.Null(waits);
        Assert.Equal(("r1", "r1"), (first.Replica, second.Replica));
    }

    [Fact]
    public void Enter_WithReplicasToAvoid_TakesThemWhenNoOtherWorks()
    {
        using var world = new CorePool(replicas: 2, slots: 1);
        world.Pool.Replicas[1].OnProbed(ReplicaHealth.Down);

        var entry = world.Enter(CorePool.Request(), constraints: new Constraints([world.Pool.Replicas[0]]));

        Assert.Equal("r0", entry.Replica);
    }

    [Fact]
    public void Enter_OnceMoreAfterAFailure_GoesBeforeThoseWhoCameLater()
    {
        using var world = new CorePool();
        var arrivedAt = world.Time.GetTimestamp();
        world.Time.Advance(TimeSpan.FromSeconds(1));
        var running = world.Enter(CorePool.Request("running"));
        var later = world.Enter(CorePool.Request("later"));
        world.Time.Advance(TimeSpan.FromSeconds(1));
        var again = world.Enter(CorePool.Request("again") with { ArrivedAt = arrivedAt });

        var order = CorePool.Drain(running, later, again);

        Assert.Equal(["again", "later"], order);
        Assert.Equal(TimeSpan.Zero, again.Result!.Value.Waited);
    }

    [Fact]
    public void Enter_AtOnceWhereAFullQueueWaits_PutsNobodyOutAndPreemptsNobody()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWaiting = 1, Preempt = PreemptMode.BeforeFirstByte });
        var batch = CorePool.Request("batch", PriorityClass.Batch);
        var running = world.Enter(batch with { Body = batch.Body with { IsStreaming = true } }, constraints: Constraints.None with { MayGiveUp = true });
        var isAsked = false;
        running.Result!.Value.Seat!.OnAsked(() => isAsked = true);
        var waiting = world.Enter(CorePool.Request("waiting", PriorityClass.Batch));

        var hedge = world.Enter(CorePool.Request("hedge", PriorityClass.Interactive), constraints: Constraints.None with { IsAtOnce = true });

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, hedge.Outcome);
        Assert.Equal((null, false, 1), (waiting.Outcome, isAsked, world.Dispatcher.Waiting(PriorityClass.Batch)));
    }

    [Fact]
    public void Enter_AtOnceWhereThereIsRoom_IsAdmitted()
    {
        using var world = new CorePool(replicas: 2);

        var hedge = world.Enter(CorePool.Request(), constraints: new Constraints([world.Pool.Replicas[0]]) { IsAtOnce = true });

        Assert.Equal("r1", hedge.Replica);
    }

    private static void Fail(CorePool world, int times)
    {
        for (var i = 0; i < times; i++)
        {
            world.Pool.Replicas[0].OnFault();
        }
    }
}
