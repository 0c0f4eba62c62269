using Gateway.Estimation;

namespace Gateway.Routing;

public sealed record DelayShape(double OthersPrefill = 1, double QueuedTimesBatch = 0, double OwnDecode = 1, double OthersDecode = 1, double Evict = 0, double Kv = 1, double Arrivals = 0, double Ride=0);

/// <summary>Expected seconds that placing the request costs: its own until its last token, and what it adds to those already there.</summary>
public sealed class DelayScorer(DelayShape shape) : IReplicaScorer
{
    private const double Step = 17e-3;
    private const double PerSequence = 0.0145e-3;
    private const double PerToken = 1.4e-7;

    public string Name => "delay";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var prompt = query.Estimate.PromptTokens;
        var output = query.Estimate.OutputTokens;
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var r = ref candidates[i].Replica;
            const double p = ServiceTime.PrefillSecondsPerToken;
            double uncached = Math.Max(1, prompt - candidates[i].PrefixHitTokens);
            var batch = r.RunningSequences;
            double context = r.HeldTokens;
            var queued = r.QueuedPrefillTokens * p;
            var prefill = (uncached - (shape.Ride * Math.Min(uncached, 256))) * p;
            var others = prefill * batch * shape.OthersPrefill;
            var evict = (shape.Evict < 0 ? query.Traffic.HitShare / Math.Max(0.1, 1 - query.Traffic.HitShare) : shape.Evict * query.Traffic.HitShare) * prefill * (1 + batch);
            var step = Step + (PerSequence * (batch + 1)) + (PerToken * (context + prompt + (output / 2)));
            var own = output * step * shape.OwnDecode;
            var shared = Math.Min(output * batch, r.OutstandingTokens);
            var slowed = shared * (PerSequence + (PerToken * (prompt + (output / 2)))) * shape.OthersDecode;
            var wait = 0.0;
            if (shape.Kv > 0 && r.CapacityTokens is { } capacity)
            {
                var need = prompt + output - (capacity - r.ReservedTokens);
                var freed = Math.Max(1, batch) * (query.Traffic.MeanPromptTokens + query.Traffic.MeanOutputTokens) / Math.Max(1, query.Traffic.MeanOutputTokens);
                wait = Math.Max(0, need / freed * step) * shape.Kv;
            }
            seconds[i] = (queued * (1 + (shape.QueuedTimesBatch * batch)) + prefill + others + evict + own + slowed + wait) / r.Weight;
        }
    }
}
