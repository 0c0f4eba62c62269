using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>Until when a turn still helps a request, and whether it will certainly come later; learns how far such predictions are off. Guarded by its dispatcher's lock.</summary>
/// <param name="pool">The replicas.</param>
/// <param name="prefixes">Which of them saw which prompt.</param>
/// <param name="waiting">Who goes before.</param>
/// <param name="ranks">Whom they go before.</param>
/// <param name="drain">How fast those go.</param>
internal sealed class Lateness(Pool pool, PrefixIndex prefixes, ClassQueues waiting, PrefixRanks ranks, DrainRate drain)
{
    // Behind more than so many, only requests whose wishes depend on it have their wait foretold: that looks at each of those who wait.
    private const int MostLookedAt = 256;

    private readonly DeadlineCheck _deadlines = new(pool, prefixes);
    private RateCalibration _waits;

    /// <summary>Why a request that enters now cannot have its turn in time; null: it can. Sets until when it must.</summary>
    public AdmissionOutcome? WhyTooLate(Waiter waiter, DispatchPlan plan, TimeSpan now)
    {
        waiter.LatestStart = _deadlines.LatestStart(waiter.Request, waiter.Estimate, waiter.Constraints, plan);
        return TimeLeft(waiter, now) - LeastWait(waiter, plan) <= TimeSpan.Zero ? AdmissionOutcome.DeadlineExceeded
            : LifeLeft(waiter, now) <= TimeSpan.Zero ? AdmissionOutcome.TimedOut
            : null;
    }

    /// <summary>Whether a request cannot have its turn in time even where nobody waits.</summary>
    public bool IsTooLateAlone(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, TimeSpan sinceArrival) =>
        _deadlines.LatestStart(request, estimate, constraints, plan) <= sinceArrival || request.TotalTimeout <= sinceArrival;

    /// <summary>A request begins to wait. Its wait is foretold also where nothing depends on it: what comes of it says how far to trust the next.</summary>
    public void OnWaits(Waiter waiter, DispatchPlan plan)
    {
        if (waiter is { PredictedWaitSeconds: 0, Constraints.GaveUp: null } && IsForetold(waiter, plan) && waiting.Count <= MostLookedAt)
        {
            waiter.PredictedWaitSeconds = PredictedSeconds(waiter, plan);
        }
    }

    /// <summary>How long a request may wait from now on, and what it is told then.</summary>
    public static (TimeSpan Due, AdmissionOutcome Outcome) Expiry(Waiter waiter, TimeSpan maxWait, TimeSpan now)
    {
        var (due, outcome) = (maxWait, AdmissionOutcome.ExpiredInQueue);
        if (LifeLeft(waiter, now) is { } life && life < due)
        {
            (due, outcome) = (life, AdmissionOutcome.TimedOut);
        }
        if (TimeLeft(waiter, now) is { } left && left < due)
        {
            (due, outcome) = (left, AdmissionOutcome.DeadlineExceeded);
        }
        // The clock goes on between the look and this: no timer takes a time that has passed.
        return (due > TimeSpan.Zero ? due : TimeSpan.Zero, outcome);
    }

    /// <summary>A wait ended.</summary>
    /// <param name="waiter">Whose.</param>
    /// <param name="waited">How long it was.</param>
    /// <param name="hadTurn">Whether it ended with a turn.</param>
    public void OnDecided(Waiter waiter, TimeSpan waited, bool hadTurn)
    {
        // One that left before its predicted turn says nothing about when that would have come.
        if (waiter is { Expiry: not null, PredictedWaitSeconds: > 0 and var predicted } && (hadTurn || waited.TotalSeconds >= predicted))
        {
            _waits = _waits.With(predicted, Math.Max(0.001, waited.TotalSeconds));
        }
    }

    // Until the request's own wishes can no longer be met; they count from its arrival. Null: it has none that bind.
    private static TimeSpan? TimeLeft(Waiter waiter, TimeSpan now) => waiter.LatestStart - (now - waiter.ArrivedAt);

    // Until its client's limit on all of it. No wish: nothing is refused because it would likely be missed. Null: there is none.
    private static TimeSpan? LifeLeft(Waiter waiter, TimeSpan now) => waiter.Request.TotalTimeout - (now - waiter.ArrivedAt);

    private TimeSpan LeastWait(Waiter waiter, DispatchPlan plan)
    {
        if (waiter.LatestStart is null || !IsForetold(waiter, plan))
        {
            return TimeSpan.Zero;
        }
        ranks.Rank(waiter, plan);
        waiter.PredictedWaitSeconds = PredictedSeconds(waiter, plan);
        return TimeSpan.FromSeconds(_waits.LowerFactor * waiter.PredictedWaitSeconds);
    }

    // One that is bound to a replica waits beside the turns; where nobody waits for one there is nothing to foretell.
    private bool IsForetold(Waiter waiter, DispatchPlan plan) => !waiter.IsPinned && plan.Queue.RefuseLate && waiting.HasTurns;

    private double PredictedSeconds(Waiter waiter, DispatchPlan plan) => waiting.CountAhead(waiter, plan.Order) * drain.LeastSecondsPerTurn;
}
