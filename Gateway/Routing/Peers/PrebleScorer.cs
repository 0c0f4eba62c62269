using Gateway.Estimation;

namespace Gateway.Routing.Peers;

/// <summary>Preble's E2: exploit the holders of a prefix that is more than half of the prompt, else explore for the least load, eviction and prefill.</summary>
/// <remarks>
/// arXiv 2407.00023. Load: prefill given to the replica within three minutes, plus what runs at 45 output tokens each (its guess); eviction: prefill of the
/// tokens that must make room. The paper's tree tells the cost of each node apart; here a replica's recent prefill stands for the sum of its nodes.
/// </remarks>
public sealed class PrebleScorer : IReplicaScorer
{
    private const double GuessedOutputTokens = 45;
    private const double NotAHolder = 1e6;

    public string Name => "preble";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var bestHit = 0;
        foreach (ref readonly var candidate in candidates)
        {
            bestHit = Math.Max(bestHit, candidate.PrefixHitTokens);
        }
        var exploits = bestHit > query.Estimate.PromptTokens - bestHit;
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var candidate = ref candidates[i];
            var load = (candidate.RecentPrefillTokens * ServiceTime.PrefillSecondsPerToken)
                + (candidate.Replica.RunningRequests * GuessedOutputTokens * ServiceTime.DecodeSecondsPerToken);
            seconds[i] = exploits
                ? load + (candidate.PrefixHitTokens == bestHit ? 0 : NotAHolder)
                : load + EvictionSeconds(query, candidate)
                    + ((query.Estimate.PromptTokens - candidate.PrefixHitTokens) * ServiceTime.PrefillSecondsPerToken);
        }
    }

    private static double EvictionSeconds(in RoutingQuery query, in Candidate candidate)
    {
        if (candidate.Replica.CapacityTokens is not { } capacity)
        {
            return 0;
        }
        var missing = query.Estimate.PromptTokens - candidate.PrefixHitTokens - Math.Max(0, capacity - candidate.Replica.HeldTokens);
        return Math.Max(0, missing) * ServiceTime.PrefillSecondsPerToken;
    }
}
