using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Who is not let in, and when waiting ends without a turn.</summary>
public sealed class DispatcherRefusalTests
{
    [Fact]
    public void Enter_BeyondTheLimit_IsRefusedWithATimeToComeBack()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWaiting = 2 });
        world.Enter(CorePool.Request("running"));
        world.Enter(CorePool.Request());
        world.Enter(CorePool.Request());

        var refused = world.Enter(CorePool.Request());

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, refused.Outcome);
        Assert.InRange(refused.Result!.Value.RetryAfter!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(120));
    }

    [Fact]
    public void Enter_BeyondTheBytesThatMayWait_IsRefused()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWaitingBytes = 1 << 20 });
        world.Enter(CorePool.Request("running"));
        var waiting = world.Enter(CorePool.Request(bodyBytes: 1 << 20));

        var refused = world.Enter(CorePool.Request(bodyBytes: 1));
        waiting.Waiter!.Cancel();
        var accepted = world.Enter(CorePool.Request(bodyBytes: 1));

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, refused.Outcome);
        Assert.Null(accepted.Outcome);
    }

    [Fact]
    public void Enter_AfterTheLongestWait_ExpiresExactlyThen()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWait = TimeSpan.FromSeconds(5) });
        world.Enter(CorePool.Request("running"));
        var entry = world.Enter(CorePool.Request());

        world.Time.Advance(TimeSpan.FromSeconds(5) - TimeSpan.FromTicks(1));
        var before = entry.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.ExpiredInQueue, entry.Outcome);
        Assert.Equal(0, world.Dispatcher.Waiting(PriorityClass.Default));
    }

    [Fact]
    public void Enter_WithADeadlineOfItsOwn_EndsThere()
    {
        using var world = new CorePool();
        world.Enter(CorePool.Request("running"));
        var entry = world.Enter(CorePool.Request(deadline: TimeSpan.FromSeconds(2)));

        world.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(AdmissionOutcome.DeadlineExceeded, entry.Outcome);
        Assert.Null(entry.Result!.Value.RetryAfter);
    }

    [Theory]
    [InlineData(2, null, 2, AdmissionOutcome.TimedOut)]
    [InlineData(2, 1, 1, AdmissionOutcome.DeadlineExceeded)]
    [InlineData(1, 2, 1, AdmissionOutcome.TimedOut)]
    [InlineData(3_600, null, 30, AdmissionOutcome.ExpiredInQueue)]
    public void Enter_WithATimeoutOfItsClients_EndsAtTheFirstOfItsLimits(int timeout, int? deadline, int ends, AdmissionOutcome expected)
    {
        using var world = new CorePool();
        world.Enter(CorePool.Request("running"));
        var entry = world.Enter(CorePool.Request(deadline: deadline is { } wish ? TimeSpan.FromSeconds(wish) : null) with { TotalTimeout = TimeSpan.FromSeconds(timeout) });

        world.Time.Advance(TimeSpan.FromSeconds(ends) - TimeSpan.FromTicks(1));
        var before = entry.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal(expected, entry.Outcome);
    }

    [Fact]
    public void Enter_AfterItsTimeoutHasPassed_IsNotSentAlthoughThereIsRoom()
    {
        using var world = new CorePool();
        var arrivedAt = world.Time.GetTimestamp();
        world.Time.Advance(TimeSpan.FromSeconds(2));

        var late = world.Enter(CorePool.Request() with { ArrivedAt = arrivedAt, TotalTimeout = TimeSpan.FromSeconds(2) });

        Assert.Equal((AdmissionOutcome.TimedOut, null), (late.Outcome, late.Result!.Value.RetryAfter));
    }

    [Fact]
    public void Enter_WithoutAReplicaThatWorks_IsRefusedAtOnce()
    {
        using var world = new CorePool(replicas: 0);

        var entry = world.Enter(CorePool.Request());

        Assert.Equal(AdmissionOutcome.RejectedNoReplica, entry.Outcome);
        Assert.NotNull(entry.Result!.Value.RetryAfter);
    }

    [Fact]
    public void Enter_LargerThanEveryContext_IsRefusedAtOnce()
    {
        using var world = new CorePool();
        world.Pool.Replicas[0].Observe(new EngineReport { ContextTokens = 50, ReadAt = 1 });

        var entry = world.Enter(CorePool.Request());

        Assert.Equal(AdmissionOutcome.RejectedTooLarge, entry.Outcome);
    }

    [Fact]
    public void Enter_WhenEveryContextShrinksMeanwhile_IsToldAtOnceWhatTheNextIsTold()
    {
        using var world = new CorePool(replicas: 2);
        world.Enter(CorePool.Request("running"));
        world.Enter(CorePool.Request("running too"));
        var large = world.Enter(CorePool.Request("large"), CorePool.Cost(1_000));
        var pinned = world.Enter(CorePool.Request("pinned"), CorePool.Cost(1_000), new Constraints([], world.Pool.Replicas[1]));
        var small = world.Enter(CorePool.Request("small"));

        world.Pool.Replicas[0].Observe(new EngineReport { ContextTokens = 200, ReadAt = 1 });
        var before = (large.Outcome, pinned.Outcome);
        world.Pool.Replicas[1].Observe(new EngineReport { ContextTokens = 200, ReadAt = 1 });
        var next = world.Enter(CorePool.Request("next"), CorePool.Cost(1_000));

        Assert.Equal((null, null), before);
        Assert.Equal((AdmissionOutcome.RejectedTooLarge, AdmissionOutcome.RejectedTooLarge), (large.Outcome, pinned.Outcome));
        Assert.Equal(next.Outcome, large.Outcome);
        Assert.Null(small.Outcome);
        Assert.Equal(1, world.Dispatcher.Waiting(PriorityClass.Default));
    }

    [Fact]
    public void Enter_WhenTheLastReplicaFailsMeanwhile_ExpiresAsWithoutReplica()
    {
        using var world = new CorePool(queue: new QueueOptions { MaxWait = TimeSpan.FromSeconds(5) });
        world.Enter(CorePool.Request("running"));
        var entry = world.Enter(CorePool.Request());

        world.Pool.Replicas[0].OnProbed(ReplicaHealth.Down);
        world.Time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(AdmissionOutcome.RejectedNoReplica, entry.Outcome);
    }

    [Fact]
    public void Enter_ForAReplicaThatIsDown_IsRefusedAtOnce()
    {
        using var world = new CorePool(replicas: 2);
        world.Pool.Replicas[0].OnProbed(ReplicaHealth.Down);

        var pinned = world.Enter(CorePool.Request(), constraints: new Constraints([], world.Pool.Replicas[0]));

        Assert.Equal(AdmissionOutcome.RejectedNoReplica, pinned.Outcome);
    }

    [Fact]
    public void Enter_ForAReplicaThatDrainsAndBacksOff_LetsAReadWaitAndRefusesNewWork()
    {
        using var world = new CorePool(replicas: 2);
        var holder = world.Pool.Replicas[0];
        holder.SetDraining(true);
        holder.BackOff(TimeSpan.FromSeconds(1));

        var read = world.Enter(CorePool.Request("read") with { Route = ApiRoute.StoredResponse }, constraints: new Constraints([], holder));
        var next = world.Enter(CorePool.Request("next"), constraints: new Constraints([], holder));
        var before = read.Outcome;
        world.Time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal((null, AdmissionOutcome.Admitted), (before, read.Outcome));
        Assert.Equal(holder.Id, read.Replica);
        Assert.Equal(AdmissionOutcome.RejectedNoReplica, next.Outcome);
    }

    [Fact]
    public void Enter_WithADeadlineOfItsOwn_CountsItFromItsArrival()
    {
        using var world = new CorePool();
        var arrivedAt = world.Time.GetTimestamp();
        world.Time.Advance(TimeSpan.FromSeconds(2));
        world.Enter(CorePool.Request("running") with { Deadline = TimeSpan.FromSeconds(3), ArrivedAt = arrivedAt });
        var waiting = world.Enter(CorePool.Request() with { Deadline = TimeSpan.FromSeconds(3), ArrivedAt = arrivedAt });
        var tooLate = world.Enter(CorePool.Request() with { Deadline = TimeSpan.FromSeconds(2), ArrivedAt = arrivedAt });

        world.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal((AdmissionOutcome.DeadlineExceeded, AdmissionOutcome.DeadlineExceeded), (waiting.Outcome, tooLate.Outcome));
        Assert.Equal(TimeSpan.FromSeconds(1), waiting.Result!.Value.Waited);
        Assert.Equal(TimeSpan.Zero, tooLate.Result!.Value.Waited);
    }
}
