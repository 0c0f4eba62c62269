namespace Gateway.Queueing;

/// <content>Those who can have no turn any more: because the fleet has changed since they came, or because another has the better claim to a place in a full queue.</content>
public sealed partial class Dispatcher
{
    // To wait on would end in the wrong words: who comes now is told at once. As of the last look; null: nobody is lost.
    private List<EndedWait>? TurnAwayLocked()
    {
        if (_placer.Fleet == _fleet)
        {
            return null;
        }
        _fleet = _placer.Fleet;
        List<EndedWait>? turnedAway = null;
        foreach (var waiter in (Waiter[])[.. _waiting.All(), .. _favourites.All(), .. _siblings.All()])
        {
            if (LostLocked(waiter) is { } outcome)
            {
                _waiting.Remove(waiter);
                (turnedAway ??= []).Add(new(waiter, RefuseLocked(waiter, outcome)));
            }
        }
        NoteCountLocked();
        return turnedAway;
    }

    // The last word is a look at everybody who waits: what it finds goes along.
    private AdmissionOutcome? NoPlaceLocked(Waiter waiter, DispatchPlan plan, out Waiter? yields)
    {
        yields = null;
        return _eligibility.HasLeft(waiter.Constraints) ? AdmissionOutcome.RejectedHolderGone
            : !_eligibility.AnyMayWork(waiter) || (waiter.Constraints.HasFallback && !_eligibility.AnyTakesWork(waiter)) ? AdmissionOutcome.RejectedNoReplica
            : !_eligibility.AnyCouldFit(waiter.Estimate, waiter.Constraints) ? AdmissionOutcome.RejectedTooLarge
            : FindsFullLocked(waiter, plan) && (yields = YieldsLocked(waiter, plan)) is null ? AdmissionOutcome.RejectedQueueFull
            : null;
    }

    // Whoever was let in once is not refused for those who came later, unless another model can serve it. Newcomers enter only where places are free: with what the replicas had
    // in flight at most that much more than the limit waits.
    private bool FindsFullLocked(Waiter waiter, DispatchPlan plan) =>
        (!waiter.Constraints.WasSent || waiter.Constraints.HasFallback) && _waiting.IsFullFor(waiter.Request, plan.Queue);

    private Waiter? YieldsLocked(Waiter waiter, DispatchPlan plan) => _waiting.YieldsTo(waiter.Request, plan.Queue, isFair: plan.Order is IFairOrder);

    // Whoever fills the queue must not keep the more urgent out of it, nor, where clients share, the others.
    private EndedWait? DisplaceLocked(Waiter? yields)
    {
        if (yields is not { } last)
        {
            return null;
        }
        _waiting.Remove(last);
        return new(last, RefuseLocked(last, AdmissionOutcome.RejectedQueueFull));
    }

    // A fleet in which nothing works, or that is empty, may be back within the wait.
    private AdmissionOutcome? LostLocked(Waiter waiter) =>
        _eligibility.HasLeft(waiter.Constraints) ? AdmissionOutcome.RejectedHolderGone
        : _eligibility.AnyMayWork(waiter) && !_eligibility.AnyCouldFit(waiter.Estimate, waiter.Constraints) ? AdmissionOutcome.RejectedTooLarge
        : null;
}
