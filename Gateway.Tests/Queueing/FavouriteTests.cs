using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class FavouriteTests
{
    private static readonly ulong[] Shared = [.. Enumerable.Range(1, 10_000).Select(block => (ulong)block)];

    [Fact]
    public void Enter_WithAFullFavourite_WaitsForItWhileOthersPass()
    {
        using var world = WithAFullFavourite(out var first);

        var waits = Enter(world, Shared);
        var passes = Enter(world, [5_001]);
        first.Done();

        Assert.Equal(AdmissionOutcome.Admitted, passes.Outcome);
        Assert.NotEqual(first.Replica, passes.Replica);
        Assert.Equal((first.Replica, HoldReason.Favourite), (waits.Replica, waits.Result!.Value.HeldFor));
        Assert.True(waits.Result.Value.PrefixHitTokens > 90_000);
    }

    [Fact]
    public void Explain_WithAFullFavourite_SaysThatItIsWaitedFor()
    {
        using var world = WithAFullFavourite(out _);

        Assert.Equal((HoldReason.Favourite, HoldReason.None), (HoldOf(Shared), HoldOf([5_001])));
        Assert.Equal(0, world.Dispatcher.Waiting(PriorityClass.Default));

        HoldReason HoldOf(ulong[] blocks) => world.Dispatcher.Explain(
            CorePool.Request(blocks: blocks, promptTokens: 10 * blocks.Length), CorePool.Cost(10 * blocks.Length)).Hold;
    }

    [Fact]
    public void OnProbed_OfAFavouriteThatIsDown_SendsThoseWhoWaitForItElsewhereAtOnce()
    {
        using var world = WithAFullFavourite(out var first);
        var waits = Enter(world, Shared);
        var before = waits.Outcome;

        world.Pool.Find(first.Replica!)!.OnProbed(ReplicaHealth.Down);

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, waits.Outcome);
        Assert.NotEqual(first.Replica, waits.Replica);
    }

    [Fact]
    public void Enter_WithAFavouriteThatStaysFull_WaitsNoLongerThanItsBound()
    {
        using var world = WithAFullFavourite(out var first, new RoutingOptions { FavouriteWait = TimeSpan.FromSeconds(2) });
        var waits = Enter(world, Shared);

        world.Time.Advance(world.Routing.FavouriteWait - TimeSpan.FromTicks(1));
        var before = waits.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, waits.Outcome);
        Assert.NotEqual(first.Replica, waits.Replica);
    }

    [Theory]
    [InlineData(0, 4)]
    // For six of its eight seconds there was no room anywhere: half of the two that remain.
    [InlineData(6, 1)]
    public void Enter_WithAFavouriteThatStaysFull_TakesAnotherPlaceBeforeItWouldBeRefused(int fullSeconds, int patienceSeconds)
    {
        using var world = WithAFullFavourite(out var first, queue: new QueueOptions { MaxWait = TimeSpan.FromSeconds(8) });
        var other = world.Pool.ReplicaList.Single(replica => replica.Id != first.Replica);
        var others = Enumerable.Range(0, 4).Select(_ => other.TryReserve(new LoadProfile(100, 0, 20, 1), new NoAdmission(), 1)!).ToList();
        var waits = fullSeconds > 0 ? Enter(world, Shared) : null;
        world.Time.Advance(TimeSpan.FromSeconds(fullSeconds));
        others.ForEach(reservation => reservation.Dispose());
        waits ??= Enter(world, Shared);

        world.Time.Advance(TimeSpan.FromSeconds(patienceSeconds) - TimeSpan.FromTicks(1));
        var before = waits.Outcome;
        world.Time.Advance(TimeSpan.FromTicks(1));

        Assert.Null(before);
        Assert.Equal((AdmissionOutcome.Admitted, other.Id), (waits.Outcome, waits.Replica));
    }

    [Fact]
    public void Explain_OfOneBoundToAReplicaWithRoom_DoesNotWaitForOneThatHoldsMore()
    {
        using var world = WithAFullFavourite(out var first);
        var bound = new Constraints([], world.Pool.ReplicaList.Single(replica => replica.Id != first.Replica));

        Assert.Equal(HoldReason.None, world.Dispatcher.Explain(CorePool.Request(blocks: Shared, promptTokens: 100_000), CorePool.Cost(100_000), bound).Hold);
    }

    [Fact]
    public void Enter_WithAFavouriteThatStaysFull_WaitsNoLongerThanTheFavouriteWouldSave()
    {
        const double Prefill = 0.0885e-3, Step = 16e-3, Sequence = 0.564 * Prefill, Context = 1.58e-3 * Prefill;
        using var world = WithAFullFavourite(out var first, new RoutingOptions { FavouriteWait = TimeSpan.FromMinutes(1) }, queue: new QueueOptions { MaxWait = TimeSpan.FromMinutes(2) });
        var waits = Enter(world, Shared);

        // At the empty one all of the 100,000 tokens are computed, 256 of them cheaply. The favourite would compute the last one, and runs four that hold 100,300 and expect 80.
        // An empty one is reached in 2 ms; of the four nothing was heard since they were sent, when the step of an empty one began: less than a step ago. What comes before the first token counts three times.
        // It has had 100,000 tokens to compute in the nine seconds that are counted at least: others that come there are believed to halt nine tenths of the answer.
        var elsewhere = (3 * 0.002) + (3 * 99_846.4 * Prefill) + (20 * (Step + Sequence + (100_010 * Context)));
        var aftermath = 1 + (4 * Sequence / Step);
        var there = (3 * 16.8e-3) + (2 * 0.4 * Prefill) + (((0.4 * Prefill) + (4 * Sequence)) * (1 + (4 * aftermath))) + (1.9 * 20 * (Step + (5 * Sequence) + (200_310 * Context)))
            + (80 * aftermath * (Sequence + (100_010 * Context)));
        world.Time.Advance(TimeSpan.FromSeconds(elsewhere - there) - TimeSpan.FromMilliseconds(1));
        var before = waits.Outcome;
        world.Time.Advance(TimeSpan.FromMilliseconds(2));

        Assert.Null(before);
        Assert.Equal(AdmissionOutcome.Admitted, waits.Outcome);
        Assert.NotEqual(first.Replica, waits.Replica);
    }

    [Fact]
    public void Enter_WithAFavouriteThatFails_GoesElsewhereAtTheNextChance()
    {
        using var world = WithAFullFavourite(out var first);
        var waits = Enter(world, Shared);

        world.Pool.ReplicaList.Single(replica => replica.Id == first.Replica).OnProbed(ReplicaHealth.Down);
        world.Pool.ReplicaList.Single(replica => replica.Id != first.Replica).OnSuccess();

        Assert.Equal(AdmissionOutcome.Admitted, waits.Outcome);
        Assert.NotEqual(first.Replica, waits.Replica);
    }

    [Theory]
    [InlineData(0, "least_delay")]
    [InlineData(10, "least_requests")]
    public void Enter_WhereNobodyWaitsForAFavourite_TakesTheRoomThatThereIs(int seconds, string policy)
    {
        using var world = WithAFullFavourite(out var first, new RoutingOptions { Policy = policy, FavouriteWait = TimeSpan.FromSeconds(seconds) });

        var entry = Enter(world, Shared);

        Assert.Equal(AdmissionOutcome.Admitted, entry.Outcome);
        Assert.NotEqual(first.Replica, entry.Replica);
    }

    [Fact]
    public void Enter_WithManyWhoWouldWait_LetsThoseGoElsewhereForWhomTheLineIsTooLong()
    {
        using var world = WithAFullFavourite(out var first);

        var entries = Enumerable.Range(0, 12).Select(_ => Enter(world, Shared)).ToList();

        Assert.Null(entries[0].Outcome);
        Assert.Contains(entries, entry => entry.Outcome == AdmissionOutcome.Admitted && entry.Replica != first.Replica);
        Assert.Equal(entries.Count(entry => entry.Outcome is null), world.Dispatcher.Waiting(PriorityClass.Default));
    }

    [Fact]
    public void Enter_WithAFullQueueOfThoseWhoWaitByChoice_TakesTheRoomThatThereIs()
    {
        using var world = WithAFullFavourite(out var first, queue: new QueueOptions { MaxWaiting = 1 });
        var waiting = Enter(world, Shared);

        var next = Enter(world, Shared);

        Assert.Null(waiting.Outcome);
        Assert.Equal(AdmissionOutcome.Admitted, next.Outcome);
        Assert.NotEqual(first.Replica, next.Replica);
    }

    [Fact]
    public void Enter_AtOnceWithAFullFavourite_TakesTheRoomThatThereIs()
    {
        using var world = WithAFullFavourite(out var first);

        var entry = world.Enter(CorePool.Request(blocks: Shared, promptTokens: 100_000), CorePool.Cost(100_000, 20), Constraints.None with { IsAtOnce = true });

        Assert.Equal(AdmissionOutcome.Admitted, entry.Outcome);
        Assert.NotEqual(first.Replica, entry.Replica);
        Assert.Equal(0, world.Dispatcher.Waiting(PriorityClass.Default));
    }

    // One of two replicas is full with a request whose 100,000 tokens the next one shares; the other is idle but has seen nothing of it.
    private static CorePool WithAFullFavourite(out CorePool.Entry first, RoutingOptions? routing = null, int slots = 4, QueueOptions? queue = null)
    {
        var world = new CorePool(2, slots, queue: queue, routing: routing);
        var filling = Enter(world, Shared, outputTokens: 20);
        filling.Result!.Value.Reservation!.OnFirstToken();
        first = filling;
        for (var i = 1; i < slots; i++)
        {
            world.Pool.ReplicaList.Single(replica => replica.Id == filling.Replica).TryReserve(new LoadProfile(100, 0, 20, 1), new NoAdmission(), 1);
        }
        return world;
    }

    private static CorePool.Entry Enter(CorePool world, ulong[] blocks, int outputTokens = 20) =>
        world.Enter(CorePool.Request(blocks: blocks, promptTokens: 10 * blocks.Length), CorePool.Cost(10 * blocks.Length, outputTokens));
}
