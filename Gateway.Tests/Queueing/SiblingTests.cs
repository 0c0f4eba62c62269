using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class SiblingTests
{
    private static readonly ulong[] Shared = Blocks(1, 200);

    private static readonly QueueOptions Patient = new() { SiblingWait = TimeSpan.FromSeconds(2) };

    [Fact]
    public void Enter_WithABeginningThatIsComputedNow_WaitsForItsFirstTokenWhileOthersPass()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        var leader = Enter(world, Shared);

        var sibling = Enter(world, [.. Shared, 9_001]);
        var other = Enter(world, Blocks(5_001, 200));
        var before = (sibling.Outcome, other.Outcome);
        leader.Result!.Value.Reservation!.OnFirstToken();

        Assert.Equal((null, AdmissionOutcome.Admitted), before);
        Assert.Equal((AdmissionOutcome.Admitted, HoldReason.Sibling), (sibling.Outcome, sibling.Result!.Value.HeldFor));
        Assert.Equal(2_000, sibling.Result.Value.PrefixHitTokens);
    }

    [Fact]
    public void Explain_WithABeginningThatIsComputedNow_NamesTheSibling()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        var leader = Enter(world, Shared);

        var before = HoldOf(Shared);
        var other = HoldOf(Blocks(5_001, 200));
        leader.Result!.Value.Reservation!.OnFirstToken();

        Assert.Equal((HoldReason.Sibling, HoldReason.None, HoldReason.None), (before, other, HoldOf(Shared)));

        HoldReason HoldOf(ulong[] blocks) => world.Dispatcher.Explain(CorePool.Request(blocks: blocks, promptTokens: 10 * blocks.Length), CorePool.Cost(10 * blocks.Length)).Hold;
    }

    [Fact]
    public void Enter_AsLateAsTheFirstToken_DoesNotWait()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared).Result!.Value.Reservation!.OnFirstToken();

        var late = Enter(world, Shared);

        Assert.Equal((AdmissionOutcome.Admitted, HoldReason.None), (late.Outcome, late.Result!.Value.HeldFor));
    }

    [Fact]
    public void Enter_BehindALeaderThatNeverAnswers_WaitsNoLongerThanItsBound()
    {
        var bound = TimeSpan.FromMilliseconds(50);
        using var world = new CorePool(1, slots: null, queue: new QueueOptions { SiblingWait = bound });
        Enter(world, Shared);
        var sibling = Enter(world, Shared);

        world.Time.Advance(bound - TimeSpan.FromTicks(1));
        var before = sibling.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, sibling.Outcome);
    }

    [Fact]
    public void Enter_BehindALeaderWhenNoContextHoldsItAnyMore_IsToldAtOnce()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared);
        var sibling = Enter(world, Shared);
        var before = sibling.Outcome;

        world.Pool.Replicas[0].Observe(new EngineReport { ContextTokens = 500, ReadAt = 1 });

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.RejectedTooLarge, sibling.Outcome);
        Assert.Equal(0, world.Dispatcher.Waiting(PriorityClass.Default));
    }

    [Fact]
    public void Enter_BehindALeaderThatTakesTwiceAsLongAsExpected_WaitsNoLonger()
    {
        using var world = new CorePool(1, slots: null, queue: new QueueOptions { SiblingWait = TimeSpan.FromMinutes(10) });
        var expected = world.Pool.ReplicaList[0].Snapshot().Rates.TimeToFirstToken(0, 2_000);
        Enter(world, Shared);
        var sibling = Enter(world, Shared);

        world.Time.Advance(TimeSpan.FromSeconds(1.99 * expected));
        var before = sibling.Outcome;
        world.Time.Advance(TimeSpan.FromSeconds(0.02 * expected));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, sibling.Outcome);
    }

    [Fact]
    public void Enter_BehindALeaderThatEndsWithoutAToken_HasTheNextOneLead()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        var leader = Enter(world, Shared);
        CorePool.Entry[] siblings = [Enter(world, Shared), Enter(world, Shared), Enter(world, Shared)];

        leader.Done();
        var led = siblings.Select(sibling => sibling.Outcome).ToArray();
        siblings[0].Result!.Value.Reservation!.OnFirstToken();

        Assert.Equal([AdmissionOutcome.Admitted, null, null], led);
        Assert.All(siblings, sibling => Assert.Equal((AdmissionOutcome.Admitted, 1), (sibling.Outcome, sibling.TimesTold)));
    }

    [Fact]
    public void Cancel_OfASibling_LeavesTheOthersInTheirLine()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        var leader = Enter(world, Shared);
        CorePool.Entry[] siblings = [Enter(world, Shared), Enter(world, Shared)];

        siblings[0].Waiter!.Cancel();
        var waiting = world.Dispatcher.Waiting(PriorityClass.Default);
        leader.Result!.Value.Reservation!.OnFirstToken();

        Assert.Equal(1, waiting);
        Assert.Equal([AdmissionOutcome.CanceledByClient, AdmissionOutcome.Admitted], siblings.Select(sibling => sibling.Outcome));
    }

    [Fact]
    public void Dispose_WithSiblingsThatWait_TellsThemOnce()
    {
        var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared);
        CorePool.Entry[] siblings = [Enter(world, Shared), Enter(world, Shared)];

        world.Dispose();

        Assert.All(siblings, sibling => Assert.Equal((AdmissionOutcome.RejectedShuttingDown, 1), (sibling.Outcome, sibling.TimesTold)));
    }

    [Fact]
    public void Enter_WhereTheQueueIsFull_RefusesNobodyForThoseWhoWaitByChoice()
    {
        using var world = new CorePool(1, slots: null, queue: Patient with { MaxWaiting = 1 });
        Enter(world, Shared);
        var waits = Enter(world, Shared);

        var next = Enter(world, Shared);

        Assert.Equal((null, AdmissionOutcome.Admitted), (waits.Outcome, next.Outcome));
    }

    [Fact]
    public void Enter_WithLittleInCommon_IsSentAtOnce()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared);

        Assert.Equal(AdmissionOutcome.Admitted, Enter(world, [.. Shared[..4], .. Blocks(7_001, 100)]).Outcome);
    }

    [Fact]
    public void Enter_BoundToATime_IsSentAtOnce()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared);

        var entry = world.Enter(CorePool.Request(blocks: Shared, promptTokens: 2_000, deadline: TimeSpan.FromMinutes(1)), CorePool.Cost(2_000));

        Assert.Equal(AdmissionOutcome.Admitted, entry.Outcome);
    }

    [Fact]
    public void Enter_AfterAFailureElsewhere_IsSentAtOnce()
    {
        using var world = new CorePool(2, slots: null, queue: Patient);
        var leader = Enter(world, Shared);
        var failed = world.Pool.ReplicaList.Single(replica => replica.Id != leader.Replica);

        var entry = world.Enter(CorePool.Request(blocks: Shared, promptTokens: 2_000), CorePool.Cost(2_000), new Constraints([failed]));

        Assert.Equal((AdmissionOutcome.Admitted, leader.Replica), (entry.Outcome, entry.Replica));
    }

    [Theory]
    [InlineData(EngineKind.SgLang, 2)]
    [InlineData(EngineKind.Vllm, 0)]
    public void Enter_WhereNothingIsGained_IsSentAtOnce(EngineKind engine, int seconds)
    {
        using var world = new CorePool(1, slots: null, queue: new QueueOptions { SiblingWait = TimeSpan.FromSeconds(seconds) });
        world.Pool.ReplicaList[0].Observe(new EngineReport { Engine = engine });
        Enter(world, Shared);

        Assert.Equal(AdmissionOutcome.Admitted, Enter(world, Shared).Outcome);
    }

    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    [InlineData(43)]
    public void Enter_BurstsAtRandom_HoldsOnlyBehindWhoComputesAndNeverBeyondTheBound(int seed)
    {
        var bound = TimeSpan.FromMilliseconds(300);
        var chance = new Random(seed);
        using var world = new CorePool(2, slots: null, queue: new QueueOptions { SiblingWait = bound });
        var (all, open, computing, running) = (new List<CorePool.Entry>(), new List<(CorePool.Entry Entry, int Family, TimeSpan At)>(), new List<(CorePool.Entry Entry, int Family)>(), new List<CorePool.Entry>());
        var (clock, held) = (TimeSpan.Zero, 0);
        for (var i = 0; i < 4_000; i++)
        {
            switch (chance.Next(8))
            {
                case < 3:
                    // What all share is soon computed: new beginnings come all the time.
                    var family = (3 * (i / 40)) + chance.Next(3);
                    var entry = Enter(world, Blocks(1 + (1_000 * family), chance.Next(50, 200)));
                    all.Add(entry);
                    open.Add((entry, family, clock));
                    break;
                case 3 when computing.Count > 0:
                    var first = computing[chance.Next(computing.Count)];
                    computing.Remove(first);
                    running.Add(first.Entry);
                    first.Entry.Result!.Value.Reservation!.OnFirstToken();
                    break;
                case 4 when computing.Count > 0:
                    var dies = computing[chance.Next(computing.Count)];
                    computing.Remove(dies);
                    dies.Entry.Done();
                    break;
                case 5 when running.Count > 0:
                    running[0].Done();
                    running.RemoveAt(0);
                    break;
                case 6 when open.Count > 0:
                    open[chance.Next(open.Count)].Entry.Waiter!.Cancel();
                    break;
                default:
                    var step = TimeSpan.FromMilliseconds(chance.Next(40));
                    clock += step;
                    world.Time.Advance(step);
                    break;
            }
            computing.AddRange(open.Where(pair => pair.Entry.Outcome == AdmissionOutcome.Admitted).Select(pair => (pair.Entry, pair.Family)));
            open.RemoveAll(pair => pair.Entry.TimesTold > 0);
            held += open.Count;
            Assert.All(open, pair => Assert.True(clock - pair.At < bound, $"seed {seed}, step {i}: held beyond the bound"));
            Assert.All(open, pair => Assert.True(computing.Exists(other => other.Family == pair.Family), $"seed {seed}, step {i}: held behind nobody"));
            Assert.Equal(open.Count, world.Dispatcher.Waiting(PriorityClass.Default));
        }
        world.Time.Advance(bound);
        foreach (var entry in all.Where(entry => entry.Outcome == AdmissionOutcome.Admitted))
        {
            entry.Done();
        }

        Assert.True(held > 100, $"seed {seed}: hardly anybody was ever held");
        Assert.All(all, entry => Assert.Equal(1, entry.TimesTold));
        Assert.All(world.Pool.ReplicaList, replica => Assert.Equal((0, 0L), (replica.Snapshot().RunningRequests, replica.Snapshot().ReservedTokens)));
    }

    [Fact]
    public void Enter_WhereTheLeadersReplicaLeftAndItsSlotIsAnothers_DoesNotWait()
    {
        using var world = new CorePool(1, slots: null, queue: Patient);
        Enter(world, Shared);
        world.SetReplicas([CorePool.Place(1, slots: null)]);
        world.SetReplicas([CorePool.Place(2, slots: null)]);
        Assert.Equal(0, world.Pool.Replicas[0].Slot);

        var other = Enter(world, Shared);

        Assert.Equal(("r2", HoldReason.None), (other.Replica, other.Result!.Value.HeldFor));
    }

    private static ulong[] Blocks(int first, int count) => [.. Enumerable.Range(first, count).Select(block => (ulong)block)];

    private static CorePool.Entry Enter(CorePool world, ulong[] blocks) =>
        world.Enter(Streamed(CorePool.Request(blocks: blocks, promptTokens: 10 * blocks.Length)), CorePool.Cost(10 * blocks.Length));

    private static InferenceRequest Streamed(InferenceRequest request) => request with { Body = request.Body with { IsStreaming = true } };
}
