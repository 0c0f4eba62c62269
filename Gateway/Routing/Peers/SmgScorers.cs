namespace Gateway.Routing.Peers;

/// <summary>SMG's <c>cache_aware</c>: the best prefix match while the fleet is balanced, the shortest queue when it is not.</summary>
/// <remarks>Constants of its command line: match above 0.3; imbalanced when the queues differ by more than 64 and by more than 1.5 times.</remarks>
public sealed class CacheAwareScorer : IReplicaScorer
{
    private const double MatchThreshold = 0.3;
    private const int ImbalanceRequests = 64;
    private const double ImbalanceRatio = 1.5;

    public string Name => "cache_aware";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var (least, most, bestHit) = (int.MaxValue, 0, 0);
        foreach (ref readonly var candidate in candidates)
        {
            least = Math.Min(least, candidate.Replica.RunningRequests);
            most = Math.Max(most, candidate.Replica.RunningRequests);
            bestHit = Math.Max(bestHit, candidate.PrefixHitTokens);
        }
        var isImbalanced = most - least > ImbalanceRequests && most > ImbalanceRatio * least;
        var followsPrefix = !isImbalanced && bestHit > MatchThreshold * query.Estimate.PromptTokens;
        for (var i = 0; i < candidates.Length; i++)
        {
            // A holder of the best match is worth more than any queue; among several the shorter queue decides.
            var isPreferred = !followsPrefix || candidates[i].PrefixHitTokens == bestHit;
            seconds[i] = candidates[i].Replica.RunningRequests + (isPreferred ? 0 : 1e6);
        }
    }
}

/// <summary>SMG's <c>least_load</c>: queued tokens over throughput, plus a penalty that rises as the KV room fills.</summary>
/// <remarks>Throughput 2,000 tokens/s while unknown and 0.15·k/(1−k), as published. The tokens sent since the last reading are in our ledger.
/// Where no engine tells its KV use, the shortest queue.</remarks>
public sealed class SmgLeastLoadScorer : IReplicaScorer
{
    private const double TokensPerSecond = 2_000;
    private const double KvWeightSeconds = 0.15;
    private const double MostUsage = 0.999;

    public string Name => "least_load";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var hasReports = false;
        foreach (ref readonly var candidate in candidates)
        {
            hasReports |= candidate.Replica.Report.KvUsage is not null;
        }
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var replica = ref candidates[i].Replica;
            if (!hasReports)
            {
                seconds[i] = replica.RunningRequests;
                continue;
            }
            var usage = Math.Min(MostUsage, replica.Report.KvUsage ?? 0);
            seconds[i] = (replica.QueuedPrefillTokens / TokensPerSecond) + (KvWeightSeconds * usage / (1 - usage));
        }
    }
}
