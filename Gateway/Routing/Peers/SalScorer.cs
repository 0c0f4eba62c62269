namespace Gateway.Routing.Peers;

/// <summary>SAL: the steps until enough memory is free, or until the request's prefill is through, whichever is more.</summary>
/// <remarks>"Is the GPU Half-Empty or Half-Full?" (arXiv 2410.17840). The paper's printed factor of the memory term does not fit its units;
/// here both terms are steps, with the mean prompt and output of recent traffic.</remarks>
public sealed class SalScorer : IReplicaScorer
{
    /// <summary>Tokens that an engine computes per step: vLLM's default budget.</summary>
    private const double TokensPerStep = 2_048;

    /// <summary>A step at a usual batch: only the unit of the result hangs on it.</summary>
    private const double SecondsPerStep = 0.025;

    /// <summary>Fewer in flight wins among equals: above the router's tolerance of ties, below a token of prefill for a handful of requests.</summary>
    private const double TieBreakSteps = 1e-4;

    public string Name => "sal";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var growth = (query.Traffic.MeanPromptTokens + query.Traffic.MeanOutputTokens) / Math.Max(1, query.Traffic.MeanOutputTokens);
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var replica = ref candidates[i].Replica;
            var uncached = Math.Max(1, query.Estimate.PromptTokens - candidates[i].PrefixHitTokens);
            var prefillSteps = (replica.QueuedPrefillTokens + uncached) / TokensPerStep;
            var steps = prefillSteps;
            if (replica.CapacityTokens is { } capacity)
            {
                var needed = query.Estimate.PromptTokens - (capacity - replica.HeldTokens);
                steps = Math.Max(steps, needed / (Math.Max(1, replica.RunningRequests) * growth));
            }
            seconds[i] = (steps + (replica.RunningRequests * TieBreakSteps)) * SecondsPerStep / replica.Weight;
        }
    }
}
