using Gateway.Estimation;
using Gateway.Replicas;

namespace Gateway.Queueing;

/// <content>What a request takes of the pool.</content>
internal sealed partial class RoomShares
{
    private static readonly TimeSpan MeasureIsFresh = TimeSpan.FromSeconds(1);

    private DispatchPlan? _plan;
    private long _measuredAt;
    private double _perToken;
    private double _perSequence;
    private Speeds _speeds;

    private PoolShares SharesOf(in RequestEstimate estimate) => new(RoomShareOf(estimate), PrefillShareOf(estimate));

    private double RoomShareOf(in RequestEstimate estimate) => Math.Max((estimate.PromptTokens + estimate.OutputTokens) * _perToken, estimate.Sequences * _perSequence);

    // The part of its time in flight that its prompt takes of an engine's: over all requests in flight these add up to the time that prompts take.
    private double PrefillShareOf(in RequestEstimate estimate)
    {
        var prompt = estimate.UncachedTokens * _speeds.PromptToken;
        return prompt <= 0 ? 0 : prompt / (prompt + _speeds.FirstToken + (estimate.Output.MeanTokens * _speeds.OutputToken)) / _speeds.Replicas;
    }

    // What is scarcest counts: KV room or slots. What is not known of a replica that works is nowhere scarce.
    private void Measure(DispatchPlan plan)
    {
        (_plan, _measuredAt) = (plan, time.GetTimestamp());
        double tokens = 0, sequences = 0;
        _speeds = default;
        foreach (var replica in pool.Replicas)
        {
            var now = replica.Snapshot();
            if (now.AcceptsWork)
            {
                _speeds = _speeds.With(now);
                tokens += now.CapacityTokens ?? double.PositiveInfinity;
                sequences += Math.Min(now.SlotLimit ?? double.PositiveInfinity, plan.Admission is WindowAdmission ? plan.Queue.WindowRequests : double.PositiveInfinity);
            }
        }
        (_perToken, _perSequence) = (tokens > 0 ? 1 / (plan.Queue.CapacityShare * tokens) : 0, sequences > 0 ? 1 / sequences : 0);
    }

    /// <summary>Sums over replicas of their learned seconds: the ratio of two is that of their means.</summary>
    private readonly record struct Speeds(int Replicas, double FirstToken, double PromptToken, double OutputToken)
    {
        public Speeds With(in ReplicaSnapshot replica)
        {
            var rates = replica.Rates;
            return new(Replicas + 1, FirstToken + rates.FirstTokenSeconds, PromptToken + rates.PrefillSecondsPerToken, OutputToken + rates.DecodeSeconds(1, replica.RunningSequences));
        }
    }
}
