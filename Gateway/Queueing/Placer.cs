using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>The one step of choosing and reserving: looks at the replicas, lets the router choose among those with room, and takes the room. Guarded by its dispatcher's lock.</summary>
internal sealed class Placer(Pool pool, PrefixIndex prefixes, Router router, TimeProvider time)
{
    private readonly PlacementMemory _memory = new(time);
    private readonly RefusalMemory _refusals = new();
    private Candidate[] _candidates = new Candidate[16];
    private Replica[] _replicas = new Replica[16];
    private double[] _costs = new double[32];
    private int _full;

    /// <summary>The full replica that the last request had better wait for, although it found room elsewhere: it holds the beginning of its prompt. Null: none.</summary>
    public Replica? Favourite { get; private set; }

    /// <summary>A replica whose room is kept for another request than the one that is asked for; null: none.</summary>
    public Replica? Kept { get; set; }

    /// <summary>Of the request that is asked for: when it last found no room anywhere. Set again by each look.</summary>
    public long RefusedAt { get; set; }

    /// <summary>Whether the last request that found no room would have found it there.</summary>
    public bool WasKeptBack { get; private set; }

    /// <summary>A replica and its room, or null: nobody with room now, or nobody as good as one without.</summary>
    public AdmissionResult? TryPlace(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, bool mayWait)
    {
        Favourite = null;
        var load = LoadOf(request, estimate);
        var count = Gather(load, estimate.LeastPromptTokens, constraints, plan, avoids: true);
        if (count == 0 && constraints.Avoid.Count > 0 && !AnyOtherWorks(constraints, estimate.LeastPromptTokens))
        {
            count = Gather(load, estimate.LeastPromptTokens, constraints, plan, avoids: false);
        }
        var query = new RoutingQuery(request, estimate, _memory.Traffic);
        var full = count > 0 && mayWait && router.WaitsForFavourite && request.Prefix.Blocks.Length > 0 ? BringFull(count, load, plan) : 0;
        Match(request, estimate, plan, count + full);
        if (full > 0 && router.Choose(query, _candidates.AsSpan(0, count + full)) is var favourite && favourite >= count)
        {
            Favourite = _replicas[favourite];
            return null;
        }
        while (count > 0)
        {
            var choice = router.Choose(query, _candidates.AsSpan(0, count));
            if (choice < 0)
            {
                return null;
            }
            var candidate = _candidates[choice];
            var uncached = load with { UncachedTokens = Math.Max(0, estimate.PromptTokens - candidate.PrefixHitTokens) };
            if (_replicas[choice].TryReserve(uncached, plan.Admission, plan.Queue.CapacityShare) is { } reservation)
            {
                _memory.OnChosen(candidate, estimate);
                var hitAge = prefixes.Record(request, estimate, candidate.Replica.Slot, candidate.Replica.CapacityTokens, plan.Routing);
                return new AdmissionResult
                {
                    Outcome = AdmissionOutcome.Admitted,
                    Reservation = reservation,
                    PrefixHitTokens = candidate.PrefixHitTokens,
                    PrefixHitAge = hitAge,
                    Reason = ReasonOf(candidate, count),
                };
            }
            // Its health changed since the look: the others are still there.
            count--;
            (_candidates[choice], _replicas[choice]) = (_candidates[count], _replicas[count]);
        }
        return null;
    }

    /// <summary>Notes that one more, or one less, waits for a full replica.</summary>
    public void NoteWaiting(Replica favourite, int change) => _memory.OnWaiting(favourite.Slot, change);

    /// <summary>Whether a replica has room for a request now.</summary>
    public static bool HasRoom(Replica replica, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        replica.Snapshot(LoadOf(request, estimate), plan.Admission, plan.Queue.CapacityShare)
            is { AcceptsWork: true, HasRoom: true };

    /// <summary>Whether a replica that can answer takes work now, will by itself within its back-off, or is about to be probed for the first time: a reload
    /// that brings new replicas holds requests for that moment instead of refusing them.</summary>
    public bool AnyMayWork(Constraints constraints)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && replica.Health is (ReplicaHealth.Up or ReplicaHealth.BackingOff or ReplicaHealth.Unknown))
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>Whether a replica that can answer takes work now, were there room.</summary>
    public bool AnyTakesWork(Constraints constraints)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && replica.Health == ReplicaHealth.Up)
            {
                return true;
            }
        }
        return false;
    }

    /// <summary>The replica that will soonest have room for a request: of those that work and could hold it, the one with the least given out. Null: none.</summary>
    public Replica? Emptiest(Waiter waiter)
    {
        Replica? emptiest = null;
        var least = long.MaxValue;
        foreach (var replica in pool.Replicas)
        {
            var now = replica.Snapshot();
            if (waiter.Constraints.Allows(replica) && now.AcceptsWork && replica.CouldFit(waiter.Estimate.LeastPromptTokens) && now.ReservedTokens < least)
            {
                (emptiest, least) = (replica, now.ReservedTokens);
            }
        }
        return emptiest;
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
    /// <param name="asOf">Timestamp from which the time counts; null: now.</param>
    public TimeSpan? TimeUntilRetry(long? asOf = null)
    {
        TimeSpan? soonest = null;
        foreach (var replica in pool.Replicas)
        {
            if (replica.TimeUntilRetry(asOf) is { } pause && (soonest is null || pause < soonest))
            {
                soonest = pause;
            }
        }
        return soonest;
    }

    /// <summary>Every replica's cost, its parts and what is expected there, without choosing.</summary>
    public ExplainedCandidate[] Explain(InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan)
    {
        var load = LoadOf(request, estimate);
        var replicas = pool.Replicas;
        Reserve(replicas.Length);
        var count = 0;
        foreach (var replica in replicas)
        {
            _candidates[count++] = CandidateOf(replica, load, plan);
        }
        Match(request, estimate, plan, count);
        var costs = _costs.AsSpan();
        var parts = new List<ScorePart>[count];
        for (var i = 0; i < count; i++)
        {
            parts[i] = [];
        }
        router.Score(new RoutingQuery(request, estimate, _memory.Traffic), _candidates.AsSpan(0, count), costs[..count], costs.Slice(count, count), parts);
        var explained = new ExplainedCandidate[count];
        for (var i = 0; i < count; i++)
        {
            explained[i] = new ExplainedCandidate(_candidates[i], costs[i], parts[i], Forecast.Of(_candidates[i], estimate));
        }
        return explained;
    }

    // A full replica is waited for rather than the one that just failed tried once more.
    private bool AnyOtherWorks(Constraints constraints, int leastPromptTokens)
    {
        foreach (var replica in pool.Replicas)
        {
            if (constraints.Allows(replica) && !constraints.Avoid.Contains(replica) && replica.CouldFit(leastPromptTokens) && replica.Health == ReplicaHealth.Up)
            {
                return true;
            }
        }
        return false;
    }

    private int Gather(in LoadProfile load, int leastPromptTokens, Constraints constraints, DispatchPlan plan, bool avoids)
    {
        var replicas = pool.Replicas;
        Reserve(replicas.Length);
        var count = 0;
        _full = 0;
        (WasKeptBack, var refusedEverywhere) = (false, avoids && constraints.Avoid.Count == 0);
        _refusals.Follow(plan);
        foreach (var replica in replicas)
        {
            if (!constraints.Allows(replica) || (avoids && constraints.Avoid.Contains(replica)) || !replica.CouldFit(leastPromptTokens))
            {
                continue;
            }
            if (_refusals.StillRefuses(replica, RefusedAt))
            {
                (_candidates[^++_full], _replicas[^_full]) = (default, replica);
                continue;
            }
            var candidate = CandidateOf(replica, load, plan);
            refusedEverywhere &= candidate.Replica is { AcceptsWork: true, HasRoom: false };
            if (candidate.Replica is { AcceptsWork: true, HasRoom: true })
            {
                if (replica == Kept)
                {
                    WasKeptBack = true;
                    continue;
                }
                _candidates[count] = candidate;
                _replicas[count++] = replica;
            }
            else if (candidate.Replica.AcceptsWork)
            {
                _candidates[^++_full] = candidate;
                _replicas[^_full] = replica;
            }
        }
        RefusedAt = refusedEverywhere ? _refusals.Now : 0;
        return count;
    }

    // Those without room stand at the end of the array, some not looked at again; the choice wants them behind those with room.
    private int BringFull(int count, in LoadProfile load, DispatchPlan plan)
    {
        for (var i = 1; i <= _full; i++)
        {
            _candidates[^i] = _candidates[^i].Replica.Id is null ? CandidateOf(_replicas[^i], load, plan) : _candidates[^i];
        }
        _candidates.AsSpan(_candidates.Length - _full).CopyTo(_candidates.AsSpan(count));
        _replicas.AsSpan(_replicas.Length - _full).CopyTo(_replicas.AsSpan(count));
        return _full;
    }

    private Candidate CandidateOf(Replica replica, in LoadProfile load, DispatchPlan plan)
    {
        var candidate = new Candidate { Replica = replica.Snapshot(load, plan.Admission, plan.Queue.CapacityShare) };
        _memory.Recall(ref candidate, plan.Routing.SlowStart);
        return candidate;
    }

    private static LoadProfile LoadOf(InferenceRequest request, in RequestEstimate estimate) =>
        new(estimate.PromptTokens, estimate.PromptTokens, estimate.OutputTokens, estimate.Sequences)
        {
            TellsFirstToken = request.Body.IsStreaming,
            Blocks = request.Prefix.Blocks,
            BlockTokens = (int)((long)request.Prefix.BlockBytes * estimate.PromptTokens / Math.Max(1, request.Body.PromptBytes)),
        };

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

    private static PlacementReason ReasonOf(in Candidate chosen, int candidates) =>
        candidates == 1 ? PlacementReason.OnlyChoice
        : chosen.HoldsSession ? PlacementReason.Session
        : chosen.PrefixHitTokens > 0 ? PlacementReason.Prefix
        : PlacementReason.LeastLoad;
}
