namespace Gateway.Routing;

/// <summary>Seconds that a placement costs everybody: the request's own until its last token, and what it adds for those already there.</summary>
/// <remarks>
/// The backlog of prefill stalls the whole batch (LMetric's product, arXiv 2603.15202); what is computed anew displaces what will be asked for again with the
/// pool's own probability; the wait for the first token counts three times, that of those who will come here before the queue of prompts is empty (M/G/1) twice;
/// decode is priced at the batch that it joins, halted as prompts have halted it lately, and for each of those it slows; a replica without room adds the time until
/// room is freed (SAL, arXiv 2410.17840). Room's README derives the terms.
/// </remarks>
public sealed class AddedDelayScorer : IReplicaScorer
{
    /// <summary>How often a displaced token costs its prefill again, at a hit share of one: when it is computed again, and for what it displaces then.</summary>
    private const double Displacement = 2;

    /// <summary>How often a token counts that full caches will not find again: what comes back still later than they keep anything is not among those that tell.</summary>
    private const double Scarcity = 2;

    /// <summary>A step that outlives its expectation goes on for this share of the time that it took: an engine that falls silent looks ever busier, not idle.</summary>
    private const double Overdue = 0.25;

    /// <summary>What a second until its own first token counts beyond the second that it is of the whole answer: these are seen.</summary>
    private const double FirstTokenWorth = 2;

    /// <summary>What a second counts by which the first token of one who comes later is delayed.</summary>
    private const double FollowerWorth = 2;

    /// <summary>Share of its own time during which others come as usual: most of them find another replica better then.</summary>
    private const double FollowedShare = 0.1;

    /// <summary>Most of its time that a replica is believed to compute prompts, and of its room that is believed to be taken: at 1 a queue would never end.</summary>
    private const double MostShare = 0.9;

    public string Name => "added_delay";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var usualScale = PlacementRates.UsualScale(candidates);
        var displaced = (Displacement * query.Traffic.HitShare) + (Scarcity * query.Traffic.HitsLostPerToken * Shortage(query.Traffic));
        for (var i = 0; i < candidates.Length; i++)
        {
            seconds[i] = Of(query, candidates[i], usualScale, displaced);
        }
    }

    // What nobody uses at the moment has only the room that running requests leave: where these take the share κ, a token more displaces 1 / (1 − κ) of it. And where
    // requests wait for room, a second by which it is held longer costs 1 / (1 − κ) of them.
    private static double Shortage(in TrafficMeans traffic)
    {
        var left = 1 - Math.Min(MostShare, traffic.RoomTaken);
        return 1 / (left * left);
    }

    private static double Of(in RoutingQuery query, in Candidate candidate, double usualScale, double displaced)
    {
        ref readonly var replica = ref candidate.Replica;
        var rates = PlacementRates.Of(replica, usualScale);
        double prompt = query.Estimate.PromptTokens;
        double output = query.Estimate.OutputTokens;
        var batch = replica.RunningSequences;

        double joined = replica.JoiningPrefillTokens;
        var own = rates.PrefillSeconds(joined + Math.Max(1, prompt - candidate.PrefixHitTokens), batch) - rates.PrefillSeconds(joined, batch);
        var aftermath = rates.Aftermath(batch);
        var halt = (own + (joined > 0 ? 0 : rates.MixSeconds(batch))) * (1 + (aftermath * batch));
        // What it displaces is computed again here or wherever there is room then, as often one as the other.
        var halted = (batch + query.Traffic.MeanRunningSequences) / 2;
        var again = own * displaced * (1 + (rates.Aftermath(halted) * halted));
        // Silence says something of those only whose first token would have been heard.
        double computing = replica.ComputingPrefillTokens;
        var unheard = Math.Max(0, replica.QueuedPrefillTokens - joined) - computing;
        var passed = candidate.StepElapsedSeconds / replica.Rates.StepSeconds(batch, computing);
        var left = Math.Max(1 - passed, Overdue * passed);
        var backlog = (left * rates.PrefillSeconds(computing, batch)) + rates.PrefillSeconds(unheard + joined, batch);
        // What is left of the step in progress beyond its prompts, which are in the backlog.
        var join = Math.Max(0, replica.Rates.SecondsToJoin(candidate.StepElapsedSeconds, batch, computing) - (left * replica.Rates.PrefillSecondsPerToken * computing));
        var prefillShare = PrefillShare(candidate, rates);
        var followers = FollowersPerSecond(candidate, prefillShare) * (backlog + (FollowedShare * own));
        var prefill = join + (backlog * (1 + batch)) + halt + again
            + (FirstTokenWorth * (join + backlog + own)) + (FollowerWorth * followers * own);

        var context = prompt + (output / 2);
        var step = rates.StepSeconds(batch + query.Estimate.Sequences, replica.HeldTokens + context);
        var decode = output / query.Estimate.Sequences * step * (1 + prefillShare);
        var slowed = Math.Min(output / query.Estimate.Sequences * batch, replica.OutstandingTokens)
            * query.Estimate.Sequences * aftermath * (rates.StepPerSequence + (rates.StepPerContextToken * context));
        return ((prefill + slowed) * (1 + candidate.Coldness)) + decode + RoomWaitSeconds(query, candidate, step);
    }

    /// <summary>Share of its time that prompts took lately: what is placed there now is halted by those who come, and they come back to where they were.</summary>
    private static double PrefillShare(in Candidate candidate, in PlacementRates rates) =>
        candidate.RecentSeconds <= 0 ? 0 : Math.Min(MostShare, candidate.RecentPrefillTokens * rates.PrefillPerToken / candidate.RecentSeconds);

    /// <summary>Requests that come here per second of a queue of prompts until it is empty: those that come lengthen it, too.</summary>
    private static double FollowersPerSecond(in Candidate candidate, double prefillShare) =>
        candidate.RecentSeconds <= 0 ? 0 : candidate.RecentRequests / candidate.RecentSeconds / (1 - prefillShare);

    /// <summary>Until enough of what runs has ended: an ending frees a mean prompt and answer, and in the time of a mean answer all that run end once.</summary>
    private static double RoomWaitSeconds(in RoutingQuery query, in Candidate candidate, double step)
    {
        ref readonly var replica = ref candidate.Replica;
        var running = Math.Max(1, replica.RunningSequences);
        var endings = 0.0;
        if (replica.CapacityTokens is { } capacity)
        {
            var missing = query.Estimate.PromptTokens + query.Estimate.OutputTokens - (capacity - replica.ReservedTokens);
            endings = Math.Max(0, missing / Math.Max(1, query.Traffic.MeanPromptTokens + query.Traffic.MeanOutputTokens));
        }
        if (!replica.HasRoom)
        {
            endings = Math.Max(1, endings) + candidate.WaitingForIt;
        }
        return endings == 0 ? 0 : endings * query.Traffic.MeanOutputTokens / running * step;
    }
}
