using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>The one step of choosing and reserving: looks at the replicas, lets the router choose among those with room, and takes the room. Guarded by its dispatcher's lock.</summary>
internal sealed class Placer(Pool pool, PrefixIndex prefixes, Router router)
{
    private Candidate[] _candidates = new Candidate[16];
    private Replica[] _replicas = new Replica[16];
    private double[] _costs = new double[32];
    private long[] _lastChosen = new long[16];
    private long _choices;

    /// <summary>A replica and its room, or null: nobody with room now.</summary>
    public AdmissionResult? TryPlace(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan)
    {
        var load = new LoadProfile(estimate.PromptTokens, estimate.PromptTokens, estimate.OutputTokens, estimate.Sequences);
        var count = Gather(load, estimate.LeastPromptTokens, constraints, plan, avoids: true);
        if (count == 0 && constraints.Avoid.Count > 0)
        {
            count = Gather(load, estimate.LeastPromptTokens, constraints, plan, avoids: false);
        }
        var query = new RoutingQuery(request, estimate);
        Match(request, estimate, plan, count);
        while (count > 0)
        {
            var choice = router.Choose(query, _candidates.AsSpan(0, count));
            if (choice < 0)
            {
                return null;
            }
            var candidate = _candidates[choice];
            var uncached = load with { UncachedTokens = Math.Max(0, estimate.PromptTokens - candidate.PrefixHitTokens) };
            if (_replicas[choice].TryReserve(uncached, CapacityShare(plan)) is { } reservation)
            {
                _lastChosen[candidate.Replica.Slot] = ++_choices;
                prefixes.Record(request, candidate.Replica.Slot, plan.Routing);
                return new AdmissionResult
                {
                    Outcome = AdmissionOutcome.Admitted,
                    Reservation = reservation,
                    PrefixHitTokens = candidate.PrefixHitTokens,
                    Reason = ReasonOf(candidate, count),
                };
            }
            // Its health changed since the look: the others are still there.
            count--;
            (_candidates[choice], _replicas[choice]) = (_candidates[count], _replicas[count]);
        }
        return null;
    }

    /// <summary>Whether a replica takes work now or will by itself within its back-off.</summary>
    public bool AnyMayWork(Constraints constraints)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && replica.Health is ReplicaHealth.Up or ReplicaHealth.BackingOff)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether an empty replica could hold the request.</summary>
    public bool AnyCouldFit(in RequestEstimate estimate, Constraints constraints)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && replica.CouldFit(estimate.LeastPromptTokens))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Until a replica may take work again by the passing of time alone; null: no such replica.</summary>
    public TimeSpan? TimeUntilRetry()
    {
        TimeSpan? soonest = null;
        foreach (var replica in pool.Replicas)
        {
            if (replica.TimeUntilRetry() is { } pause && (soonest is null || pause < soonest))
            {
                soonest = pause;
            }
        }
        return soonest;
    }

    /// <summary>Tells each replica's cost without choosing.</summary>
    public void Explain(InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan, Action<Candidate, bool, double> told)
    {
        var load = new LoadProfile(estimate.PromptTokens, estimate.PromptTokens, estimate.OutputTokens, estimate.Sequences);
        var replicas = pool.Replicas;
        Reserve(replicas.Length);
        var count = 0;
        foreach (var replica in replicas)
        {
            _candidates[count++] = CandidateOf(replica);
        }
        Match(request, estimate, plan, count);
        var costs = _costs.AsSpan();
        router.Score(new RoutingQuery(request, estimate), _candidates.AsSpan(0, count), costs[..count], costs.Slice(count, count));
        for (var i = 0; i < count; i++)
        {
            var fits = Fits(_candidates[i].Replica, load, plan);
            told(_candidates[i], fits, costs[i]);
        }
    }

    private int Gather(in LoadProfile load, int leastPromptTokens, Constraints constraints, DispatchPlan plan, bool avoids)
    {
        var replicas = pool.Replicas;
        Reserve(replicas.Length);
        var count = 0;
        foreach (var replica in replicas)
        {
            if (!constraints.Allows(replica) || (avoids && constraints.Avoid.Contains(replica)) || !replica.CouldFit(leastPromptTokens))
            {
                continue;
            }
            var candidate = CandidateOf(replica);
            if (Fits(candidate.Replica, load, plan))
            {
                _candidates[count] = candidate;
                _replicas[count++] = replica;
            }
        }
        return count;
    }

    private Candidate CandidateOf(Replica replica)
    {
        if (replica.Slot >= _lastChosen.Length)
        {
            Array.Resize(ref _lastChosen, Math.Max(2 * _lastChosen.Length, replica.Slot + 1));
        }
        return new Candidate { Replica = replica.Snapshot(), LastChosen = _lastChosen[replica.Slot] };
    }

    private void Match(InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan, int count)
    {
        if (count > 0)
        {
            prefixes.Match(request, estimate.PromptTokens, plan.Routing, _candidates.AsSpan(0, count));
        }
    }

    private void Reserve(int replicas)
    {
        if (replicas > _candidates.Length)
        {
            _candidates = new Candidate[replicas];
            _replicas = new Replica[replicas];
            _costs = new double[2 * replicas];
        }
    }

    private static double? CapacityShare(DispatchPlan plan) => plan.HoldsForRoom ? plan.Queue.CapacityShare : null;

    private static bool Fits(in ReplicaSnapshot replica, in LoadProfile load, DispatchPlan plan) =>
        replica.AcceptsWork && (CapacityShare(plan) is not { } share || replica.HasRoom(load, share));

    private static PlacementReason ReasonOf(in Candidate chosen, int candidates) =>
        candidates == 1 ? PlacementReason.OnlyChoice
        : chosen.HoldsSession ? PlacementReason.Session
        : chosen.PrefixHitTokens > 0 ? PlacementReason.Prefix
        : PlacementReason.LeastLoad;
}
