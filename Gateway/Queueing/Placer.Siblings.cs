using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <content>Requests that had better wait for another that computes the beginning of their prompt.</content>
internal sealed partial class Placer
{
    // So many times the expected time to the first token: longer, and something is amiss there that waiting does not mend.
    private const double LongestOverExpected = 2;

    private readonly ComputingPrompts _computing = new();

    /// <summary>The request in flight that the last one had better wait for, although it found room: it computes the beginning of its prompt. Null: none.</summary>
    public LoadReservation? Leader { get; private set; }

    /// <summary>How long it may wait for that one.</summary>
    public TimeSpan LeaderPatience { get; private set; }

    /// <summary>Why a request that has its turn would wait although the replica that is best for it has room; <see cref="HoldReason.None"/>: it would not.</summary>
    public HoldReason WouldHold(InferenceRequest request, in RequestEstimate estimate, Constraints constraints, DispatchPlan plan, in PlacementTerms terms, in Candidate best)
    {
        var load = LoadOf(request, estimate, plan) with { Headroom = terms.Headroom };
        // The same look as for a placement, without one.
        (RefusedAt, _leftHeadroom) = (0, false);
        var count = Gather(load, estimate.LeastPromptTokens, constraints, plan, terms.Kept, avoids: true);
        if (count == 0 && HeldBackFor != HoldReason.None)
        {
            return HeldBackFor;
        }
        Match(request, estimate, plan, count);
        return FindFavourite(new RoutingQuery(request, estimate, TrafficOf(plan, count)), load, constraints, plan, terms, count) is not null ? HoldReason.Favourite
            : terms.SiblingPatience > TimeSpan.Zero && FindLeader(best, load, terms.SiblingPatience) is not null ? HoldReason.Sibling
            : HoldReason.None;
    }

    // Sent now to an engine that shares only what is finished, both would be computed in its next steps, and everybody there would stand still for the same twice.
    // Waiting costs a step. SGLang holds back such requests by itself.
    private LoadReservation? FindLeader(in Candidate candidate, in LoadProfile load, TimeSpan patience)
    {
        ref readonly var replica = ref candidate.Replica;
        if (replica.Report.Engine == EngineKind.SgLang || _computing.LeaderOf(replica.Slot, replica.Id, load) is not { } leader)
        {
            return null;
        }
        // Both sides grow with how slow the replica is.
        var rates = PlacementRates.Of(replica, usualScale: 1);
        var twice = rates.PrefillSeconds(leader.SharedTokens, replica.RunningSequences) * (1 + replica.RunningSequences);
        var left = time.GetElapsedTime(time.GetTimestamp(), leader.GiveUpAt);
        if (left <= TimeSpan.Zero || twice <= rates.StepSeconds(replica.RunningSequences + 1, replica.HeldTokens))
        {
            return null;
        }
        LeaderPatience = left < patience ? left : patience;
        return leader.Reservation;
    }

    private void NoteComputing(LoadReservation reservation, in Candidate candidate, InferenceRequest request, QueueOptions queue)
    {
        if (queue.SiblingWait <= TimeSpan.Zero || reservation.Load.Blocks.Length == 0)
        {
            return;
        }
        var seconds = candidate.Replica.Rates.TimeToFirstToken(candidate.Replica.QueuedPrefillTokens, reservation.Load.UncachedTokens);
        var giveUpAt = time.GetTimestamp() + (long)(LongestOverExpected * seconds * time.TimestampFrequency);
        _computing.Note(reservation, candidate.PrefixHitBlocks, giveUpAt);
    }
}
