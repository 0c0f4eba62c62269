using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Whoever fills the queue keeps neither the more urgent out of it nor, where clients share, the others.</summary>
public sealed class FullQueueTests : IDisposable
{
    private readonly List<CorePool.Entry> _entries = [];
    private CorePool _world = null!;

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Enter_MoreUrgentThanAFullQueue_TakesThePlaceOfTheLastThatCame()
    {
        Fill(4, PriorityClass.Batch, "b1", "b2", "b3", "b4");

        var urgent = Enter("urgent", PriorityClass.Interactive);

        Assert.Null(urgent.Outcome);
        Assert.Equal([null, null, null, AdmissionOutcome.RejectedQueueFull], Outcomes());
        Assert.NotNull(_entries[3].Result!.Value.RetryAfter);
        Assert.Equal((1, 3), (_world.Dispatcher.Waiting(PriorityClass.Interactive), _world.Dispatcher.Waiting(PriorityClass.Batch)));
    }

    [Fact]
    public void Enter_MoreUrgentThanAFullQueue_LeavesTheLowerClassesTheirReservedPlaces()
    {
        Fill(4, PriorityClass.Batch, "b1", "b2", "b3", "b4");

        var urgent = Enumerable.Range(0, 5).Select(i => Enter($"u{i}", PriorityClass.Interactive).Outcome).ToArray();

        // Half of four places.
        Assert.Equal([null, null, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull], urgent);
        Assert.Equal([null, null, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull], Outcomes());
    }

    [Fact]
    public void Enter_LessUrgentThanAFullQueue_TakesNoMoreThanTheReservedPlaces()
    {
        Fill(4, PriorityClass.Default, "d1", "d2", "d3", "d4");

        var batch = Enumerable.Range(0, 4).Select(i => Enter($"b{i}", PriorityClass.Batch).Outcome).ToArray();
        var back = Enter("d5", PriorityClass.Default);

        // Half of four places, and nobody takes those back.
        Assert.Equal([null, null, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull], batch);
        Assert.Equal([null, null, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull], Outcomes());
        Assert.Equal(AdmissionOutcome.RejectedQueueFull, back.Outcome);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Enter_QueueThatAnotherClientFills_TakesAPlaceOfThatOnesWhereTheyShare(bool hasPlace)
    {
        Fill(4, PriorityClass.Default, "f1", "f2", "f3", "f4");
        if (hasPlace)
        {
            Share();
        }

        var other = Enter("other", PriorityClass.Default, tenant: 2);

        Assert.Equal(hasPlace ? null : AdmissionOutcome.RejectedQueueFull, other.Outcome);
        Assert.Equal(hasPlace ? AdmissionOutcome.RejectedQueueFull : null, _entries[3].Outcome);
    }

    [Fact]
    public void Enter_QueueThatIsSharedEqually_TakesNobodysPlace()
    {
        Fill(4, PriorityClass.Default, "f1", "f2", "f3", "f4");
        Share();

        var others = Enumerable.Range(0, 4).Select(i => Enter($"o{i}", PriorityClass.Default, tenant: 2).Outcome).ToArray();

        Assert.Equal([null, null, AdmissionOutcome.RejectedQueueFull, AdmissionOutcome.RejectedQueueFull], others);
        Assert.Equal(AdmissionOutcome.RejectedQueueFull, Enter("f5", PriorityClass.Default).Outcome);
    }

    [Fact]
    public void Enter_WithTwiceTheWeight_MayHoldTwiceThePlaces()
    {
        Fill(6, PriorityClass.Default, "f1", "f2", "f3", "f4", "f5", "f6");
        Share();

        var heavy = Enumerable.Range(0, 6).Select(i => Enter($"h{i}", PriorityClass.Default, tenant: 2, weight: 2).Outcome).Count(outcome => outcome is null);

        Assert.Equal(4, heavy);
    }

    [Fact]
    public void Enter_FullOfWhatFailedElsewhere_TakesNoneOfThosePlaces()
    {
        Fill(1, PriorityClass.Batch);
        var retried = _world.Enter(CorePool.Request("again", PriorityClass.Batch), constraints: new Constraints([_world.Pool.ReplicaList[0]]));

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, Enter("urgent", PriorityClass.Interactive).Outcome);
        Assert.Null(retried.Outcome);
    }

    [Fact]
    public void Enter_OnceMoreAfterAFailure_FindsAPlaceThoughTheQueueIsFull()
    {
        Fill(1, PriorityClass.Default, "waiting");

        var retried = _world.Enter(CorePool.Request("again"), constraints: new Constraints([_world.Pool.ReplicaList[0]]));

        Assert.Null(retried.Outcome);
        Assert.Equal([null], Outcomes());
        Assert.Equal(AdmissionOutcome.RejectedQueueFull, Enter("newcomer", PriorityClass.Default).Outcome);
    }

    [Fact]
    public void Enter_OnceMoreAfterAFailureWhereAnotherModelCanServe_MovesOnFromAFullQueue()
    {
        Fill(1, PriorityClass.Default, "waiting");

        var retried = _world.Enter(CorePool.Request("again"), constraints: new Constraints([_world.Pool.ReplicaList[0]]) { HasFallback = true });

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, retried.Outcome);
        Assert.Equal([null], Outcomes());
    }

    [Fact]
    public void Enter_TooLargeForAnyOnePlace_TakesNone()
    {
        _world = new CorePool(queue: new QueueOptions { MaxWaitingBytes = 1_000 });
        _world.Enter(CorePool.Request("running"));
        var small = _world.Enter(CorePool.Request("small", PriorityClass.Batch, bodyBytes: 900));

        var large = _world.Enter(CorePool.Request("large", PriorityClass.Interactive, bodyBytes: 1_001));
        var fitting = _world.Enter(CorePool.Request("fitting", PriorityClass.Interactive, bodyBytes: 1_000));

        Assert.Equal(AdmissionOutcome.RejectedQueueFull, large.Outcome);
        Assert.Equal((null, AdmissionOutcome.RejectedQueueFull), (fitting.Outcome, small.Outcome));
    }

    [Fact]
    public void Explain_AFullQueueThatWouldMakeRoom_SaysThatTheRequestWaits()
    {
        Fill(1, PriorityClass.Batch, "b1");

        Assert.Null(_world.Dispatcher.Explain(CorePool.Request("urgent", PriorityClass.Interactive), CorePool.Cost()).Refusal);
        Assert.Equal(AdmissionOutcome.RejectedQueueFull, _world.Dispatcher.Explain(CorePool.Request("batch", PriorityClass.Batch), CorePool.Cost()).Refusal);
        Assert.Equal([null], Outcomes());
    }

    private AdmissionOutcome?[] Outcomes() => [.. _entries.Select(entry => entry.Outcome)];

    private void Fill(int places, PriorityClass priority, params string[] ids)
    {
        _world = new CorePool(queue: new QueueOptions { MaxWaiting = places, ReservedShare = 0.5 });
        _world.Enter(CorePool.Request("running"));
        foreach (var id in ids)
        {
            _world.Time.Advance(TimeSpan.FromMilliseconds(1));
            _entries.Add(Enter(id, priority));
        }
        _world.Time.Advance(TimeSpan.FromMilliseconds(1));
    }

    private void Share() => _world.Plan = _world.Plan with { Order = new TokenCounterOrder(new FcfsOrder()) };

    private CorePool.Entry Enter(string id, PriorityClass priority, ulong tenant = 1, double weight = 1) =>
        _world.Enter(CorePool.Request(id, priority) with { TenantKey = tenant, TenantWeight = weight });
}
