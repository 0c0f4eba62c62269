using Gateway.Estimation;

namespace Gateway.Routing.Peers;

/// <summary>LMetric: tokens still to prefill times the batch that would share the steps. No weights: cache hits enter through the one factor, decode load through the other.</summary>
/// <remarks>arXiv 2603.15202, as adopted by Dynamo.</remarks>
public sealed class LMetricScorer : IReplicaScorer
{
    // In tokens: fewer in flight wins among equals. Above the router's tolerance of ties, and a token outweighs a difference of fifty requests.
    private const double TieBreak = 0.02;

    public string Name => "lmetric";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var replica = ref candidates[i].Replica;
            var uncached = Math.Max(1, query.Estimate.PromptTokens - candidates[i].PrefixHitTokens);
            var tokens = ((replica.QueuedPrefillTokens + uncached) * (double)(replica.RunningRequests + 1)) + (replica.RunningRequests * TieBreak);
            seconds[i] = tokens * ServiceTime.PrefillSecondsPerToken / replica.Weight;
        }
    }
}
