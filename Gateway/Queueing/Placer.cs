using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>The one step of choosing and reserving: looks at the replicas, lets the router choose among those with room, and takes the room. Guarded by its dispatcher's lock.</summary>
internal sealed partial class Placer(Pool pool, PrefixIndex prefixes, Router router, TimeProvider time)
{
    private readonly PlacementMemory _memory = new(time);
    private readonly RefusalMemory _refusals = new();
    private Candidate[] _candidates = new Candidate[16];
    private Replica[] _replicas = new Replica[16];
    private double[] _costs = new double[32];
    private Replica[] _full = new Replica[16];
    private int[] _fullHits = new int[16];
    private int _fullCount;
    private bool _wasKeptBack;
    private bool _leftHeadroom;

    /// <summary>The full replica that the last request had better wait for, although it found room elsewhere: it holds the beginning of its prompt. Null: none.</summary>
    public Replica? Favourite { get; private set; }

    /// <summary>Seconds that going there saves everybody, were there room: to wait longer than that costs more.</summary>
    public double FavouriteSavesSeconds { get; private set; }

    /// <summary>When the last request found no room anywhere, by the count of looks; 0: some replica might have had it.</summary>
    public long RefusedAt { get; private set; }

    /// <summary>What kept the last request from room that there is: it is kept for another, or lies within the share that it leaves free. <see cref="HoldReason.None"/>: neither.</summary>
    public HoldReason HeldBackFor => _wasKeptBack ? HoldReason.Drain : _leftHeadroom ? HoldReason.Headroom : HoldReason.None;

    /// <summary>Changes with which replicas there are, and with what any of them could hold, as of the last look.</summary>
    public long Fleet => _refusals.Fleet;

    /// <summary>Notes which replicas there are and which of them changed; the next requests are placed among these.</summary>
    public void Look(DispatchPlan plan) => _refusals.Look(pool.Replicas, plan);

    /// <summary>A replica and its room, or null: nobody with room now, or nobody as good as one without. After a <see cref="Look"/>.</summary>
    public AdmissionResult? TryPlace(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, in PlacementTerms terms)
    {
        (Favourite, Leader, _wasKeptBack, _leftHeadroom, RefusedAt) = (null, null, false, false, terms.RefusedAt);
        if (RefusedAt == _refusals.Now && RefusedAt > 0)
        {
            return null;
        }
        var load = LoadOf(request, estimate, plan) with { Headroom = terms.Headroom };
        var count = Gather(load, estimate.LeastPromptTokens, constraints, plan, terms.Kept, avoids: true);
        if (count == 0 && constraints.Avoid.Count > 0 && !AnyOtherWorks(constraints, estimate.LeastPromptTokens))
        {
            count = Gather(load, estimate.LeastPromptTokens, constraints, plan, terms.Kept, avoids: false);
        }
        var query = new RoutingQuery(request, estimate, _memory.Traffic);
        Match(request, estimate, plan, count);
        if (FindFavourite(query, load, constraints, plan, terms, count) is { } favourite)
        {
            Favourite = favourite;
            return null;
        }
        while (count > 0)
        {
            var (choice, isCopy) = ChooseOrCopy(query, count);
            if (choice < 0)
            {
                return null;
            }
            var candidate = _candidates[choice];
            if (terms.SiblingPatience > TimeSpan.Zero && FindLeader(candidate, load, terms.SiblingPatience) is { } leader)
            {
                Leader = leader;
                return null;
            }
            var uncached = load with { UncachedTokens = Math.Max(0, load.PromptTokens - candidate.PrefixHitTokens) };
            if (_replicas[choice].TryReserve(uncached, plan.Admission, plan.Queue.CapacityShare) is { } reservation)
            {
                var hitAge = request.Route.TakesNoRoom ? TimeSpan.Zero : Note(reservation, candidate, request, estimate, plan);
                return new AdmissionResult
                {
                    Outcome = AdmissionOutcome.Admitted,
                    Reservation = reservation,
                    PrefixHitTokens = candidate.PrefixHitTokens,
                    PrefixHitAge = hitAge,
                    Reason = isCopy ? PlacementReason.Copy : ReasonOf(candidate, count),
                    Shadow = plan.Shadow?.Choose(query, _candidates.AsSpan(0, count)) is >= 0 and var other ? DeviationOf(candidate, other, estimate) : null,
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
    public static RoomVerdict RoomAt(Replica replica, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        replica.RoomFor(LoadOf(request, estimate, plan), plan.Admission, plan.Queue.CapacityShare);

    /// <summary>Whether a replica would have room for a request if some others were not there.</summary>
    public static bool RoomWithout(Replica replica, ReadOnlySpan<LoadReservation> others, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        replica.HasRoomWithout(others, LoadOf(request, estimate, plan), plan.Admission, plan.Queue.CapacityShare);

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

    /// <summary>Whether the one replica that can answer has left; never where any can.</summary>
    public bool HasLeft(Constraints constraints) => constraints.Pinned is { } holder && !pool.Replicas.Contains(holder);

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
        var load = LoadOf(request, estimate, plan);
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
        var query = new RoutingQuery(request, estimate, _memory.Traffic);
        router.Score(query, _candidates.AsSpan(0, count), costs[..count], costs.Slice(count, count), parts);
        ExplainCopy(query, costs[..count], parts);
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

    private int Gather(in LoadProfile load, int leastPromptTokens, Constraints constraints, DispatchPlan plan, Replica? kept, bool avoids)
    {
        Reserve(_refusals.Count);
        var (count, now) = (0, time.GetTimestamp());
        _fullCount = 0;
        (_wasKeptBack, var refusedEverywhere) = (false, avoids && constraints.Avoid.Count == 0);
        for (var i = 0; i < _refusals.Count; i++)
        {
            var replica = _refusals[i];
            if (_refusals.StillRefuses(i, RefusedAt))
            {
                _full[_fullCount++] = replica;
                continue;
            }
            if (!MayAnswer(replica, leastPromptTokens, constraints) || (avoids && constraints.Avoid.Count > 0 && constraints.Avoid.Contains(replica)))
            {
                continue;
            }
            ref var candidate = ref _candidates[count];
            candidate = default;
            var verdict = replica.RoomFor(load, plan.Admission, plan.Queue.CapacityShare, ref candidate.Replica);
            refusedEverywhere &= verdict == RoomVerdict.Full;
            if (verdict == RoomVerdict.NoWork)
            {
                _memory.OnAway(replica.Slot);
            }
            else if (verdict == RoomVerdict.Full)
            {
                _leftHeadroom |= load.Headroom > 0 && replica.RoomFor(load with { Headroom = 0 }, plan.Admission, plan.Queue.CapacityShare) == RoomVerdict.Room;
                _full[_fullCount++] = replica;
            }
            else if (replica == kept)
            {
                _wasKeptBack = true;
            }
            else
            {
                _memory.Recall(ref candidate, plan.Routing.SlowStart, now);
                _replicas[count++] = replica;
            }
        }
        // What has to be left free changes with what others hold, anywhere.
        RefusedAt = refusedEverywhere && load.Headroom == 0 ? _refusals.Now : 0;
        return count;
    }

    private static bool MayAnswer(Replica replica, int leastPromptTokens, Constraints constraints) => constraints.Allows(replica) && replica.CouldFit(leastPromptTokens);

    // A full one is worth a wait only for what it holds of the prompt.
    private Replica? FindFavourite(in RoutingQuery query, in LoadProfile load, Constraints constraints, DispatchPlan plan, in PlacementTerms terms, int count)
    {
        if (count == 0 || !terms.MayWait || _fullCount == 0 || !router.WaitsForFavourite)
        {
            return null;
        }
        var most = 0;
        foreach (ref readonly var candidate in _candidates.AsSpan(0, count))
        {
            most = Math.Max(most, candidate.PrefixHitTokens);
        }
        prefixes.Match(query.Request, query.Estimate.PromptTokens, plan.Routing, _full.AsSpan(0, _fullCount), _fullHits.AsSpan(0, _fullCount));
        var all = count;
        for (var i = 0; i < _fullCount; i++)
        {
            var replica = _full[i];
            if (_fullHits[i] <= most || !MayAnswer(replica, query.Estimate.LeastPromptTokens, constraints) || constraints.Avoid.Contains(replica))
            {
                continue;
            }
            ref var candidate = ref _candidates[all];
            candidate = CandidateOf(replica, load, plan);
            candidate.PrefixHitTokens = _fullHits[i];
            if (candidate.Replica.AcceptsWork)
            {
                _replicas[all++] = replica;
            }
        }
        if (all == count || router.Choose(query, _candidates.AsSpan(0, all)) is var choice && choice < count)
        {
            return null;
        }
        FavouriteSavesSeconds = SavingSeconds(query, _candidates[choice], count);
        return _replicas[choice];
    }

    private double SavingSeconds(in RoutingQuery query, Candidate favourite, int count)
    {
        _candidates[count] = favourite with { Replica = favourite.Replica with { HasRoom = true, CapacityTokens = null }, WaitingForIt = 0 };
        var costs = _costs.AsSpan(0, count + 1);
        router.Score(query, _candidates.AsSpan(0, count + 1), costs, _costs.AsSpan(count + 1, count + 1));
        var best = double.PositiveInfinity;
        foreach (var cost in costs[..count])
        {
            best = Math.Min(best, cost);
        }
        return Math.Max(0, best - costs[count]);
    }

    private Candidate CandidateOf(Replica replica, in LoadProfile load, DispatchPlan plan)
    {
        var candidate = new Candidate { Replica = replica.Snapshot(load, plan.Admission, plan.Queue.CapacityShare) };
        _memory.Recall(ref candidate, plan.Routing.SlowStart, time.GetTimestamp());
        return candidate;
    }

    // What the next choice has to know.
    private TimeSpan Note(LoadReservation reservation, in Candidate candidate, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan)
    {
        _memory.OnChosen(candidate, estimate);
        NoteSaving();
        NoteComputing(reservation, candidate, request, plan.Queue);
        var hitAge = prefixes.Record(request, estimate, candidate.Replica.Slot, candidate.Replica.PrefixRoomTokens, plan.Routing);
        prefixes.OnSent(candidate.Replica.Slot, estimate.PromptTokens, candidate.PrefixHitTokens, hitAge, candidate.Replica.Report);
        return hitAge;
    }

    private static LoadProfile LoadOf(InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        request.Route.TakesNoRoom ? new(0, 0, 0, 1) { TellsFirstToken = false, StepLimitSeconds = double.PositiveInfinity } :
        new(estimate.PromptTokens, estimate.PromptTokens, estimate.OutputTokens, estimate.Sequences)
        {
            TellsFirstToken = request.Body.IsStreaming,
            StepLimitSeconds = plan.Queue.Classes.Of(request.Priority).InterTokenTarget?.TotalSeconds ?? double.PositiveInfinity,
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
            _costs = new double[2 * (replicas + 1)];
            (_full, _fullHits) = (new Replica[replicas], new int[replicas]);
        }
    }

    private Deviation DeviationOf(in Candidate chosen, int other, in RequestEstimate estimate) =>
        new(_replicas[other], Forecast.Of(chosen, estimate).AnswerSeconds - Forecast.Of(_candidates[other], estimate).AnswerSeconds);

    private PlacementReason ReasonOf(in Candidate chosen, int candidates) =>
        candidates == 1 ? PlacementReason.OnlyChoice
        : chosen.HoldsSession && router.HeedsSessions ? PlacementReason.Session
        : chosen.PrefixHitTokens > 0 && router.HeedsPrefixes ? PlacementReason.Prefix
        : PlacementReason.LeastLoad;
}
