using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>Chooses a replica and reserves its room in one step; whoever finds none waits here. One per pool. Thread-safe.</summary>
/// <remarks>Decisions are told outside the lock. While every replica has room nothing waits and entering is synchronous.</remarks>
public sealed partial class Dispatcher : IDisposable
{
    private readonly Lock _gate = new();
    private readonly Pool _pool;
    private readonly Eligibility _eligibility;
    private readonly Placer _placer;
    private readonly Func<DispatchPlan> _plan;
    private readonly TimeProvider _time;
    private readonly ClassQueues _waiting = new();
    private readonly PrefixRanks _ranks;
    private readonly FavouriteLines _favourites;
    private readonly SiblingLines _siblings;
    private readonly DrainRate _drain;
    private readonly Lateness _lateness;
    private readonly Overtaking _overtaking;
    private readonly RoomShares _shares;
    private readonly Seats _seats = new();
    private readonly long _startedAt;
    private readonly DateTimeOffset _startedOn;
    private readonly ITimer _retry;
    private int _waitingCount;
    private long _returns;
    private long _fleet;
    private bool _isClosed;

    /// <param name="pool">The replicas.</param>
    /// <param name="prefixes">Which of them saw which prompt.</param>
    /// <param name="plan">Limits, order and routing in force; read once per decision.</param>
    /// <param name="router">Chooses among those with room; used under the dispatcher's lock only.</param>
    /// <param name="time">The clock.</param>
    public Dispatcher(Pool pool, PrefixIndex prefixes, Func<DispatchPlan> plan, Router router, TimeProvider time)
    {
        _pool = pool;
        _plan = plan;
        _time = time;
        _eligibility = new Eligibility(pool);
        _placer = new Placer(pool, _eligibility, prefixes, router, time);
        _ranks = new PrefixRanks(pool, _waiting, prefixes, router);
        _favourites = new FavouriteLines(_placer, _waiting, time, OnPatienceOver);
        _siblings = new SiblingLines(_waiting, time, OnPatienceOver);
        _drain = new DrainRate(time);
        _lateness = new Lateness(pool, prefixes, _waiting, _ranks, _drain);
        _overtaking = new Overtaking(_eligibility);
        _shares = new RoomShares(pool, time);
        _startedAt = time.GetTimestamp();
        _startedOn = time.GetUtcNow();
        _retry = time.CreateTimer(_ => OnRoomReturned(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        pool.RoomReturned += OnRoomReturned;
    }

    /// <summary>Requests that wait, by class.</summary>
    public int Waiting(PriorityClass priority)
    {
        lock (_gate)
        {
            return _waiting.CountOf(priority);
        }
    }

    /// <summary>Asks for a replica. The decision is told once, on this thread now or on another later.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="constraints">Replicas to avoid, or the only one that can answer.</param>
    /// <param name="decided">Hears the decision; quick, never throws.</param>
    public Waiter Enter(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, Action<AdmissionResult> decided)
    {
        var waiter = new Waiter(this, request, estimate, constraints, decided) { EnteredAt = _time.GetTimestamp() };
        AdmissionResult? now;
        EndedWait? displaced;
        lock (_gate)
        {
            now = EnterLocked(waiter, _plan(), out displaced);
        }
        displaced?.Tell();
        if (now is { } result)
        {
            decided(result);
        }
        else
        {
            Pump();
        }
        return waiter;
    }

    /// <summary>More is known of what a request that had its turn here was served: orders that keep account charge the difference. One that takes no room takes
    /// nothing from the others, and is not charged.</summary>
    /// <param name="request">The request.</param>
    /// <param name="charged">What it has been charged so far.</param>
    /// <param name="served">What it was served; nothing where the turn was in vain.</param>
    public void Settle(InferenceRequest request, in ServedTokens charged, in ServedTokens served)
    {
        if (charged == served || request.Route.TakesNoRoom || _plan().Order is not IServiceAccount account)
        {
            return;
        }
        lock (_gate)
        {
            account.Charge(request, served - charged);
        }
    }

    /// <summary>Refuses whoever enters from now on; those who wait keep their turn.</summary>
    internal void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
        }
    }

    /// <summary>Stops listening to the pool. Those who wait are told that the gateway shuts down.</summary>
    public void Dispose()
    {
        _pool.RoomReturned -= OnRoomReturned;
        _retry.Dispose();
        Close();
        while (true)
        {
            Waiter? next;
            lock (_gate)
            {
                next = _waiting.Any() ?? _favourites.Any() ?? _siblings.Any();
            }
            if (next is null)
            {
                return;
            }
            Leave(next, AdmissionOutcome.RejectedShuttingDown);
        }
    }

    internal void Leave(Waiter waiter, AdmissionOutcome outcome)
    {
        AdmissionResult result;
        lock (_gate)
        {
            if (waiter.IsDecided)
            {
                return;
            }
            _waiting.Remove(waiter);
            NoteCountLocked();
            // Nothing gets work any more: then the honest answer is that there is no replica, not that they are busy.
            var told = outcome == AdmissionOutcome.ExpiredInQueue && !_eligibility.AnyMayWork(waiter) ? AdmissionOutcome.RejectedNoReplica : outcome;
            result = DecideLocked(waiter, new AdmissionResult { Outcome = told, RetryAfter = RetryAfterLocked(told) });
        }
        waiter.Decided(result);
        // The one behind may fit where this one did not.
        Pump();
    }

    private AdmissionResult? EnterLocked(Waiter waiter, DispatchPlan plan, out EndedWait? displaced)
    {
        displaced = null;
        if (_isClosed)
        {
            return RefuseLocked(waiter, AdmissionOutcome.RejectedShuttingDown);
        }
        var lookedAt = _time.GetTimestamp();
        var now = _time.GetElapsedTime(_startedAt, lookedAt);
        waiter.ArrivedAt = waiter.Constraints.GaveUp?.ArrivedAt ?? ArrivalOf(waiter.Request, now);
        if (_lateness.WhyTooLate(waiter, plan, now) is { } late)
        {
            return RefuseLocked(waiter, late);
        }
        if (!_waiting.HasTurns)
        {
            LookLocked(plan);
            if (TryPlaceLocked(waiter, plan) is { } admitted)
            {
                return admitted;
            }
        }
        if (waiter.Constraints.IsAtOnce)
        {
            return RefuseLocked(waiter, AdmissionOutcome.RejectedQueueFull);
        }
        if (NoPlaceLocked(waiter, plan, out var yields) is { } outcome)
        {
            return RefuseLocked(waiter, outcome);
        }
        displaced = DisplaceLocked(yields);
        waiter.HeldFor = waiter.IsAside || waiter.HeldFor == HoldReason.Headroom ? waiter.HeldFor : HoldLocked(waiter);
        _ranks.Rank(waiter, plan);
        (plan.Order as IServiceAccount)?.OnEntered(waiter.Request, isFirst: !_waiting.HasTurns);
        if (waiter.Constraints.GaveUp is { } place)
        {
            (waiter.Rank, waiter.Sequence) = (place.Rank, place.Sequence);
        }
        _lateness.OnWaits(waiter, plan);
        _waiting.Add(waiter);
        if (RoomShares.AreKept(plan))
        {
            _shares.OnWaits(waiter);
        }
        NoteCountLocked();
        ExpireLocked(waiter, plan.Queue.MaxWait);
        ArmRetryLocked(lookedAt);
        return null;
    }

    private HoldReason HoldLocked(Waiter waiter) =>
        _waiting.HasTurns ? HoldReason.Turn : HoldBeforeRoomLocked(waiter);

    private HoldReason HoldBeforeRoomLocked(Waiter waiter) => _eligibility.AnyTakesWork(waiter) ? HoldReason.Room : HoldReason.Recovery;

    private void ExpireLocked(Waiter waiter, TimeSpan maxWait)
    {
        var (due, outcome) = Lateness.Expiry(waiter, maxWait, Now());
        waiter.Expiry = _time.CreateTimer(_ => Leave(waiter, outcome), null, due, Timeout.InfiniteTimeSpan);
    }

    private void OnPatienceOver(Waiter waiter)
    {
        lock (_gate)
        {
            _favourites.GiveUp(waiter);
            _siblings.GiveUp(waiter);
        }
        Pump();
    }

    private void OnRoomReturned()
    {
        // Room returns with every few tokens of every stream; nearly always nobody waits for it.
        if (Volatile.Read(ref _waitingCount) > 0)
        {
            Interlocked.Increment(ref _returns);
            Pump();
        }
    }

    private void Pump()
    {
        while (true)
        {
            EndedWait? next;
            List<EndedWait>? turnedAway;
            Seat[]? asked = null;
            lock (_gate)
            {
                var plan = _plan();
                var lookedAt = _time.GetTimestamp();
                next = PlaceNextLocked(plan);
                if (next is { } turn)
                {
                    _waiting.TakeTurn(turn.Waiter, plan.Queue.ReservedShare);
                    NoteCountLocked();
                    _ranks.OnTurn(plan);
                    _drain.OnTurn();
                }
                turnedAway = TurnAwayLocked();
                if (next is null && turnedAway is null)
                {
                    ArmRetryLocked(lookedAt);
                    asked = PreemptLocked(plan);
                }
            }
            next?.Tell();
            turnedAway?.ForEach(static lost => lost.Tell());
            if (next is null && turnedAway is null)
            {
                Array.ForEach(asked ?? [], _seats.Tell);
                return;
            }
        }
    }

    private TimeSpan Now() => _time.GetElapsedTime(_startedAt);

    private AdmissionResult RefuseLocked(Waiter waiter, AdmissionOutcome outcome) =>
        DecideLocked(waiter, new AdmissionResult { Outcome = outcome, RetryAfter = RetryAfterLocked(outcome) });

    private AdmissionResult DecideLocked(Waiter waiter, in AdmissionResult result)
    {
        waiter.IsDecided = true;
        waiter.Expiry?.Dispose();
        _favourites.Leave(waiter);
        RoomShares.OnDecided(waiter);
        _siblings.Leave(waiter);
        var waited = _time.GetElapsedTime(waiter.EnteredAt);
        _lateness.OnDecided(waiter, waited, result.Reservation is not null);
        return result with { Waited = waited, HeldFor = waiter.HeldFor };
    }

    private TimeSpan? RetryAfterLocked(AdmissionOutcome outcome) => _drain.RetryAfter(outcome, _waiting.Count + 1, _eligibility.TimeUntilRetry());

    // Health that turns with time alone raises no event. As of the look that found nobody: a back-off that ended since would else be waited for by nobody.
    private void ArmRetryLocked(long lookedAt) =>
        _ = _waiting.Count > 0 && _eligibility.TimeUntilRetry(lookedAt) is { } pause && _retry.Change(pause, Timeout.InfiniteTimeSpan);

    private void NoteCountLocked()
    {
        Volatile.Write(ref _waitingCount, _waiting.Count);
        if (_waiting.Count == 0)
        {
            _drain.OnEmpty();
        }
    }
}
