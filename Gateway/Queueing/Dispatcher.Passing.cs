using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Queueing;

/// <content>Passing through: a turn without a wait.</content>
public sealed partial class Dispatcher
{
    private static readonly NoAdmission Everybody = new();

    /// <summary>The decision about a request that need not wait: nobody else does, and there is room. Null: <see cref="Enter"/> decides.</summary>
    /// <remarks>The reservation is all that it allocates.</remarks>
    internal AdmissionResult? TryPass(InferenceRequest request, in RequestEstimate estimate, Constraints constraints)
    {
        lock (_gate)
        {
            var plan = _plan();
            var now = Now();
            var arrivedAt = ArrivalOf(request, now);
            if (_isClosed)
            {
                return null;
            }
            if (request.Route.TakesNoRoom)
            {
                return TryPassBesideLocked(request, estimate, constraints, plan, arrivedAt);
            }
            if (_waiting.HasTurns || (plan.Queue.Preempt != PreemptMode.Off && constraints.MayGiveUp)
                || _lateness.IsTooLateAlone(request, estimate, constraints, plan, now - arrivedAt))
            {
                return null;
            }
            LookLocked(plan);
            return _placer.TryPlace(request, estimate, constraints, plan, TermsLocked(request, estimate, constraints, plan, now, waiter: null)) is { } placed
                ? AdmitLocked(request, estimate, arrivedAt, placed, waited: TimeSpan.Zero, plan, constraints.WasSent)
                : null;
        }
    }

    // Neither those who wait nor the room concern it; only a replica that works is needed.
    private AdmissionResult? TryPassBesideLocked(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, TimeSpan arrivedAt)
    {
        _placer.Look(plan);
        return _placer.TryPlace(request, estimate, constraints, plan with { Admission = Everybody }, default) is { } placed
            ? AdmitLocked(request, estimate, arrivedAt, placed, waited: TimeSpan.Zero, plan, constraints.WasSent)
            : null;
    }

    private void LookLocked(DispatchPlan plan)
    {
        _placer.Look(plan);
        _shares.Look(plan);
    }

    // As of the last look. Nobody is refused for those who wait by choice: where the queue is full, or no wait is allowed, any room will do.
    private PlacementTerms TermsLocked(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, TimeSpan now, Waiter? waiter)
    {
        var mayStand = !constraints.IsAtOnce && !_waiting.IsFullFor(request, plan.Queue);
        var maySitOut = mayStand && (waiter is null or { IsAside: false, OvertakenAt: null });
        return new PlacementTerms(
            _shares.HeadroomFor(request, waiter?.Remaining ?? estimate), _overtaking.KeptFrom(waiter), waiter?.RefusedAt ?? 0,
            maySitOut ? SiblingLines.PatienceOf(request, constraints, waiter?.HeldSince, now, plan.Queue) : TimeSpan.Zero,
            mayStand && waiter is not { StoodAside: true } && FavouriteLines.MayWait(plan));
    }

    private AdmissionResult AdmitLocked(InferenceRequest request, in RequestEstimate estimate, TimeSpan arrivedAt, in AdmissionResult placed, TimeSpan waited, DispatchPlan plan, bool hasAsked)
    {
        var left = _ranks.Heeds(plan) ? estimate with { CachedTokens = placed.PrefixHitTokens } : estimate;
        var account = request.Route.TakesNoRoom ? null : plan.Order as IServiceAccount;
        var charged = account?.OnTurn(request, left, placed.PrefixHitTokens, waited) ?? default;
        if (RoomShares.AreKept(plan) && !request.Route.TakesNoRoom)
        {
            _shares.OnTurn(request, estimate, placed.Reservation!, hasAsked);
        }
        var scale = EnginePriorityKey.ScaleOf(placed.Reservation!.Replica, _pool.Options.EnginePriority);
        return placed with { Charged = charged, EnginePriority = EnginePriorityKey.For(request, left, _startedOn + arrivedAt, plan.Order, scale) };
    }

    private TimeSpan ArrivalOf(InferenceRequest request, TimeSpan now) => request.ArrivedAt is { } arrivedAt ? _time.GetElapsedTime(_startedAt, arrivedAt) : now;
}
