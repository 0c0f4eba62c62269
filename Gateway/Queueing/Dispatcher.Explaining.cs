using Gateway.Estimation;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <content>What would be decided, without deciding it, and how the queue would stand for a second policy.</content>
public sealed partial class Dispatcher
{
    /// <summary>What would be decided about a request now, and why; nothing is placed.</summary>
    /// <param name="request">The request.</param>
    /// <param name="estimate">What it is expected to cost.</param>
    /// <param name="constraints">The only replica that can answer; null: any can.</param>
    public Explanation Explain(InferenceRequest request, in RequestEstimate estimate, Constraints? constraints = null)
    {
        var waiter = new Waiter(this, request, estimate, constraints ?? Constraints.None, static _ => { });
        lock (_gate)
        {
            var plan = _plan();
            (waiter.ArrivedAt, waiter.Sequence) = (Now(), long.MaxValue);
            _ranks.Rank(waiter, plan);
            var isBeside = request.Route.TakesNoRoom;
            var candidates = _placer.Explain(request, estimate, isBeside ? plan with { Admission = Everybody } : plan);
            var best = Explanation.BestOf(candidates, waiter.Constraints.Pinned);
            var ahead = _waiting.CountAhead(waiter, plan.Order);
            // Whom a selecting order will take is not known before it does.
            var isNext = isBeside || waiter.IsPinned || !_waiting.HasTurns || (ahead == 0 && plan.Order is not IQueueSelector);
            var hasTurn = isNext && best is { } index && candidates[index].HasRoom;
            var hold = hasTurn && isBeside ? HoldReason.None
                : hasTurn ? WouldHoldLocked(waiter, plan, candidates[best!.Value].Candidate) : isNext ? HoldBeforeRoomLocked(waiter) : HoldReason.Turn;
            return new Explanation
            {
                Refusal = hasTurn && isBeside && !_isClosed ? null : RefusalLocked(waiter, plan),
                Hold = hold,
                Ahead = ahead,
                Rank = waiter.Rank,
                WaitSeconds = hold == HoldReason.None ? 0 : _drain.SecondsPerTurn is > 0 and var perTurn ? (ahead + 1) * perTurn : null,
                CostsAreSeconds = RoutingPolicies.CostsAreSeconds(plan.Routing),
                Candidates = candidates,
                Best = best,
            };
        }
    }

    /// <summary>Waiting requests that would go before one that comes now, by the second policy's order; null: there is none.</summary>
    public int? AheadByShadow(InferenceRequest request, in RequestEstimate estimate)
    {
        lock (_gate)
        {
            var plan = _plan();
            if (plan.ShadowOrder is not { } order)
            {
                return null;
            }
            var countsCached = _ranks.Heeds(plan) && plan.Shadow is { HeedsPrefixes: true };
            var left = countsCached ? estimate with { CachedTokens = _ranks.CachedTokens(request, estimate, Constraints.None, plan) } : estimate;
            return _waiting.CountAheadBy(order, request, order.Rank(request, left, Now()), countsCached);
        }
    }

    private HoldReason WouldHoldLocked(Waiter waiter, DispatchPlan plan, in Candidate best)
    {
        LookLocked(plan);
        var terms = TermsLocked(waiter.Request, waiter.Estimate, waiter.Constraints, plan, Now(), waiter);
        return _placer.WouldHold(waiter.Request, waiter.Estimate, waiter.Constraints, plan, terms, best);
    }

    private AdmissionOutcome? RefusalLocked(Waiter waiter, DispatchPlan plan) =>
        _isClosed ? AdmissionOutcome.RejectedShuttingDown : _lateness.WhyTooLate(waiter, plan, Now()) ?? NoPlaceLocked(waiter, plan, out _);
}
