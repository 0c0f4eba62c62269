using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>Who may pass whom, and for how long: the bounds on waiting behind others.</summary>
public sealed class OvertakingTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    [Fact]
    public void Enter_SmallerThanAHeadThatFitsNowhere_PassesItForTheLimitOnly()
    {
        using var world = New(1);
        var running = world.Enter(CorePool.Request("running"), CorePool.Cost(400, 100));
        var large = world.Enter(CorePool.Request("large"), CorePool.Cost(800, 100));
        var passes = world.Enter(CorePool.Request("passes"), CorePool.Cost(100, 50));
        world.Time.Advance(Limit);
        var kept = world.Enter(CorePool.Request("kept"), CorePool.Cost(100, 50));
        Assert.Equal((AdmissionOutcome.Admitted, null, null), (passes.Outcome, large.Outcome, kept.Outcome));

        running.Done();
        passes.Done();
        var first = large.Outcome;
        large.Done();

        Assert.Equal((AdmissionOutcome.Admitted, HoldReason.Room), (first, large.Result!.Value.HeldFor));
        Assert.Equal((AdmissionOutcome.Admitted, HoldReason.Drain), (kept.Outcome, kept.Result!.Value.HeldFor));
    }

    [Fact]
    public void Enter_WhileOneReplicaIsDrained_TakesTheOthers()
    {
        using var world = New(2);
        var busy = world.Enter(CorePool.Request("a"), CorePool.Cost(600, 100));
        var busier = world.Enter(CorePool.Request("b"), CorePool.Cost(700, 100));
        var large = world.Enter(CorePool.Request("large"), CorePool.Cost(800, 100));
        var passes = world.Enter(CorePool.Request("passes"), CorePool.Cost(10, 10));
        world.Time.Advance(Limit);

        // The room of the emptier one is kept, that of the other is not.
        var small = world.Enter(CorePool.Request("small"), CorePool.Cost(50, 20));
        var second = world.Enter(CorePool.Request("second"), CorePool.Cost(200, 50));

        Assert.Equal((busier.Replica, null, null), (small.Replica, large.Outcome, second.Outcome));
        busy.Done();
        passes.Done();
        Assert.Equal(busy.Replica, large.Replica);
    }

    [Fact]
    public void Enter_WhenTheDrainedReplicaGoesDown_DrainsAnother()
    {
        using var world = New(2);
        var busy = world.Enter(CorePool.Request("a"), CorePool.Cost(600, 100));
        var busier = world.Enter(CorePool.Request("b"), CorePool.Cost(700, 100));
        var large = world.Enter(CorePool.Request("large"), CorePool.Cost(800, 100));
        var passes = world.Enter(CorePool.Request("passes"), CorePool.Cost(10, 10));
        world.Time.Advance(Limit);
        world.Enter(CorePool.Request("x"), CorePool.Cost(900, 900));
        world.Pool.Find(busy.Replica!)!.OnProbed(ReplicaHealth.Down);
        world.Enter(CorePool.Request("y"), CorePool.Cost(900, 900));

        var small = world.Enter(CorePool.Request("small"), CorePool.Cost(50, 20));
        var whileDrained = small.Outcome;
        busier.Done();

        Assert.Equal((AdmissionOutcome.Admitted, null, busier.Replica), (passes.Outcome, whileDrained, large.Replica));
    }

    [Theory]
    [InlineData(51)]
    [InlineData(52)]
    [InlineData(53)]
    public void Enter_LargeUnderEndlessSmallOnes_WaitsForTheLimitAndTwoAnswersAtMost(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = New(3);
        var longest = TimeSpan.FromSeconds(2);
        var running = new List<(CorePool.Entry Entry, TimeSpan Ends)>();
        var small = new List<CorePool.Entry>();
        CorePool.Entry? large = null;
        var (now, served) = (TimeSpan.Zero, 0);
        while (served < 40)
        {
            var step = TimeSpan.FromMilliseconds(chance.Next(1, 60));
            world.Time.Advance(step);
            now += step;
            small.Add(world.Enter(CorePool.Request("small", (PriorityClass)chance.Next(3)), CorePool.Cost(chance.Next(50, 250), chance.Next(10, 80))));
            large ??= world.Enter(CorePool.Request("large", PriorityClass.Interactive, level: 9), CorePool.Cost(chance.Next(850, 2_000), 100));
            for (var i = running.Count - 1; i >= 0; i--)
            {
                if (running[i].Ends <= now)
                {
                    var ended = running[i].Entry;
                    running.RemoveAt(i);
                    ended.Done();
                }
            }
            foreach (var entry in small.Where(entry => entry.Outcome == AdmissionOutcome.Admitted))
            {
                running.Add((entry, now + (longest * chance.NextDouble())));
            }
            small.RemoveAll(entry => entry.TimesTold > 0);
            if (large.Result is { } result)
            {
                // One answer until it is first passed, or has its room; the limit; and one until the drained replica has room.
                Assert.True(result.Waited <= Limit + (2 * longest), $"seed {seed}: waited {result.Waited}");
                running.Add((large, now + longest));
                (large, served) = (null, served + 1);
            }
        }
    }

    [Theory]
    [InlineData("sjf")]
    [InlineData("wspt")]
    [InlineData("lamps")]
    [InlineData("mlfq")]
    public void Enter_LongUnderEndlessShortOnes_GoesFirstAfterTheLongestWait(string order)
    {
        var queue = new QueueOptions { Order = order, OldestFirstAfter = TimeSpan.FromSeconds(5) };
        using var world = new CorePool(queue: queue);
        world.Plan = world.Plan with { Order = QueueOrders.Create(queue, new CachedBeginnings()) };
        var running = world.Enter(CorePool.Request("first"));
        var longOne = world.Enter(CorePool.Request("long"), CorePool.Cost(1_000, 900));
        var seconds = 0;
        while (longOne.Outcome is null && seconds < 60)
        {
            var next = world.Enter(CorePool.Request($"short{seconds++}"), CorePool.Cost(10, 10));
            world.Time.Advance(TimeSpan.FromSeconds(1));
            running.Done();
            running = longOne.Outcome is null ? next : longOne;
        }

        Assert.Equal(TimeSpan.FromSeconds(6), longOne.Result!.Value.Waited);
    }

    public static TheoryData<string> Orders => [.. QueueOrders.Names];

    [Theory, MemberData(nameof(Orders))]
    public void Enter_LongUnderEndlessShortOnes_IsServedUnderEveryOrder(string order)
    {
        var queue = new QueueOptions { Order = order, MaxWait = TimeSpan.FromHours(1) };
        using var world = new CorePool(queue: queue);
        world.Plan = world.Plan with { Order = QueueOrders.Create(queue, new CachedBeginnings()) };
        var running = world.Enter(CorePool.Request("first"));
        var longOne = world.Enter(CorePool.Request("long", session: 1) with { TenantKey = 1 }, CorePool.Cost(1_000, 900));
        for (var second = 0; longOne.Outcome is null && second < 300; second++)
        {
            // Each with a client and a session of its own: to every kind of order one that deserves to go first.
            var next = world.Enter(CorePool.Request($"short{second}", session: 2 + (ulong)second) with { TenantKey = 2 + (ulong)second }, CorePool.Cost(10, 10));
            world.Time.Advance(TimeSpan.FromSeconds(1));
            running.Done();
            running = longOne.Outcome is null ? next : longOne;
        }

        Assert.Equal(AdmissionOutcome.Admitted, longOne.Outcome);
    }

    [Theory]
    [InlineData(61, 0.1)]
    [InlineData(62, 0.25)]
    [InlineData(63, 0.5)]
    public void Enter_WhileUrgentOnesAlwaysWait_GivesEachLowerClassItsShareOfEveryWindow(int seed, double share)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        using var world = new CorePool(queue: new QueueOptions { ReservedShare = share, MaxWaiting = 100_000, MaxWait = TimeSpan.FromHours(1) });
        var turns = new List<PriorityClass>();
        var running = world.Enter(CorePool.Request());
        CorePool.Entry? next = null;
        void Add(PriorityClass priority)
        {
            var entry = world.Enter(CorePool.Request("q", priority));
            entry.OnTold = told =>
            {
                turns.Add(priority);
                next = told;
            };
        }
        foreach (var priority in Enum.GetValues<PriorityClass>())
        {
            Enumerable.Range(0, 50).ToList().ForEach(_ => Add(priority));
        }
        for (var i = 0; i < 2_000; i++)
        {
            running.Done();
            running = next!;
            Add(turns[^1]);
            if (chance.Next(3) == 0)
            {
                Add(PriorityClass.Interactive);
            }
        }

        foreach (var lower in new[] { PriorityClass.Default, PriorityClass.Batch })
        {
            for (var (from, length) = (0, 200); from + length <= turns.Count; from += 37)
            {
                // A turn saved up at the window's beginning or end is one of a neighbour's.
                Assert.True(turns.Skip(from).Take(length).Count(turn => turn == lower) >= Math.Floor(share / 2 * length) - 1, $"seed {seed}: {lower} from {from}");
            }
        }
    }

    private static CorePool New(int replicas) =>
        new(replicas, slots: null, kvTokens: 1_000, queue: new QueueOptions { OvertakingLimit = Limit, MaxWait = TimeSpan.FromHours(1), MaxWaiting = 100_000, ReservedShare = 0 });
}
