using Gateway.Estimation;

namespace Gateway.Routing.Peers;

/// <summary>NVIDIA Dynamo's KV router: blocks to prefill, less the overlap, plus blocks being decoded. In tokens here, which is the same choice.</summary>
/// <remarks>Load scale 1, overlap credit 1 for blocks on the device, temperature 0; as in its repository.</remarks>
public sealed class DynamoScorer : IReplicaScorer
{
    public string Name => "dynamo";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var replica = ref candidates[i].Replica;
            var prompt = query.Estimate.PromptTokens;
            var prefill = Math.Max(0, replica.QueuedPrefillTokens + prompt - candidates[i].PrefixHitTokens);
            var decode = Math.Max(0, replica.HeldTokens - replica.QueuedPrefillTokens) + prompt;
            seconds[i] = (prefill + decode) * ServiceTime.PrefillSecondsPerToken;
        }
    }
}

/// <summary>llm-d's weighted scorers at their default weights: queue 2, KV room 2, prefix 3, each a share of 0 to 1.</summary>
/// <remarks>The queue is the engine's own, as last read. The sum of weights less the score is the cost, so that the best score costs least.</remarks>
public sealed class LlmDScorer : IReplicaScorer
{
    private const double QueueWeight = 2;
    private const double KvWeight = 2;
    private const double PrefixWeight = 3;

    public string Name => "llm_d";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var (least, most) = (int.MaxValue, 0);
        foreach (ref readonly var candidate in candidates)
        {
            least = Math.Min(least, candidate.Replica.Report.WaitingRequests ?? 0);
            most = Math.Max(most, candidate.Replica.Report.WaitingRequests ?? 0);
        }
        for (var i = 0; i < candidates.Length; i++)
        {
            var report = candidates[i].Replica.Report;
            var queue = most == least ? 1 : (most - (report.WaitingRequests ?? 0)) / (double)(most - least);
            var room = 1 - Math.Clamp(report.KvUsage ?? 0, 0, 1);
            var prefix = candidates[i].PrefixHitTokens / (double)Math.Max(1, query.Estimate.PromptTokens);
            seconds[i] = (QueueWeight * (1 - queue)) + (KvWeight * (1 - room)) + (PrefixWeight * (1 - prefix));
        }
    }
}
