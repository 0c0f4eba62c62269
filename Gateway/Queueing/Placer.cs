using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>The one step of choosing and reserving: looks at the replicas, lets the router choose among those with room, and takes the room. Guarded by its dispatcher's lock.</summary>
internal sealed partial class Placer(Pool pool, Eligibility eligibility, PrefixIndex prefixes, Router router, TimeProvider time)
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
        if (count == 0 && constraints.Avoid.Count > 0 && !eligibility.AnyOtherWorks(constraints, estimate.LeastPromptTokens))
        {
            count = Gather(load, estimate.LeastPromptTokens, constraints, plan, terms.Kept, avoids: false);
        }
        var query = new RoutingQuery(request, estimate, TrafficOf(plan, count));
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

    /// <summary>Whether a replica has room for a request now.</summary>
    public static RoomVerdict RoomAt(Replica replica, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        replica.RoomFor(LoadOf(request, estimate, plan), plan.Admission, plan.Queue.CapacityShare);

    /// <summary>Whether a replica would have room for a request if some others were not there.</summary>
    public static bool RoomWithout(Replica replica, ReadOnlySpan<LoadReservation> others, InferenceRequest request, in RequestEstimate estimate, DispatchPlan plan) =>
        replica.HasRoomWithout(others, LoadOf(request, estimate, plan), plan.Admission, plan.Queue.CapacityShare);

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
        var query = new RoutingQuery(request, estimate, TrafficOf(plan, count));
        router.Score(query, _candidates.AsSpan(0, count), costs[..count], costs.Slice(count, count), parts);
        ExplainCopy(query, costs[..count], parts);
        var explained = new ExplainedCandidate[count];
        for (var i = 0; i < count; i++)
        {
            explained[i] = new ExplainedCandidate(_candidates[i], costs[i], parts[i], Forecast.Of(_candidates[i], estimate));
        }
        return explained;
    }

    // Without an index nothing is noted that could change what was learned with it.
    private TrafficMeans TrafficOf(DispatchPlan plan, int count)
    {
        var lost = plan.Routing.Prefix.Enabled ? prefixes.HitsLostPerToken : 0;
        // One figure each for the whole decision: with and without those that are full it would be another.
        var candidates = _candidates.AsSpan(0, count);
        return _memory.Traffic with { HitsLostPerToken = lost, RoomTaken = lost > 0 ? RoomTaken(candidates) : 0, MeanRunningSequences = MeanRunningSequences(candidates) };
    }

    internal static double MeanRunningSequences(ReadOnlySpan<Candidate> candidates)
    {
        var (running, replicas) = (0L, 0);
        foreach (ref readonly var candidate in candidates)
        {
            if (candidate.Replica is { AcceptsWork: true, HasRoom: true })
            {
                running += candidate.Replica.RunningSequences;
                replicas++;
            }
        }
        return replicas == 0 ? 0 : running / (double)replicas;
    }

    internal static double RoomTaken(ReadOnlySpan<Candidate> candidates)
    {
        var (taken, known) = (0.0, 0);
        foreach (ref readonly var candidate in candidates)
        {
            if (candidate.Replica is { AcceptsWork: true, HasRoom: true, CapacityTokens: > 0 and var capacity })
            {
                taken += Math.Min(1, candidate.Replica.ReservedTokens / (double)capacity);
                known++;
            }
        }
        return known == 0 ? 0 : taken / known;
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
        request.Route.TakesNoRoom ? new(0, 0, 0, 1) { TellsFirstToken = false, StepLimitSeconds = double.PositiveInfinity, IsRead = request.Route.IsRead } :
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
