using Gateway.Estimation;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What a request will take at one replica, from the moment it is sent there.</summary>
/// <param name="FirstTokenSeconds">Until the first token.</param>
/// <param name="AnswerSeconds">Until the last.</param>
public readonly record struct Forecast(double FirstTokenSeconds, double AnswerSeconds)
{
    // One answer in ten is shorter, one prediction in twenty is farther off: both at once is rarer than one in a hundred.
    private const double ShortAnswer = 0.1;

    // Fewer comparisons say nothing about how far predictions are off.
    private const int LeastPredictions = 32;

    /// <summary>What is expected: with everything that is queued there, and an answer of mean length.</summary>
    public static Forecast Of(in Candidate candidate, in RequestEstimate estimate)
    {
        ref readonly var replica = ref candidate.Replica;
        var rates = replica.Rates;
        var first = rates.TimeToFirstToken(replica.QueuedPrefillTokens, Uncached(candidate, estimate));
        return new Forecast(first, first + rates.DecodeSeconds(Math.Max(0, estimate.Output.MeanTokens - 1), replica.RunningSequences + estimate.Sequences));
    }

    /// <summary>What it will hardly be below: nothing queued ahead, a short answer alone in its steps, and a replica at its quickest.</summary>
    /// <returns>Zero where the replica's rates are not known well enough.</returns>
    public static Forecast Least(in Candidate candidate, in RequestEstimate estimate)
    {
        var rates = candidate.Replica.Rates;
        if (!rates.IsLearned || rates.Prefill.Predictions < LeastPredictions)
        {
            return default;
        }
        var first = rates.Prefill.LowerFactor * rates.TimeToFirstToken(0, Uncached(candidate, estimate));
        var decode = rates.Decode.Predictions < LeastPredictions
            ? 0
            : rates.Decode.LowerFactor * rates.StepSeconds(1) * Math.Max(0, estimate.Output.Quantile(ShortAnswer) - 1);
        return new Forecast(first, first + decode);
    }

    private static int Uncached(in Candidate candidate, in RequestEstimate estimate) =>
        Math.Max(0, estimate.PromptTokens - candidate.PrefixHitTokens);
}
