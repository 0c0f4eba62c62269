using Gateway.Replicas;
using Gateway.Replicas.Rates;

namespace Gateway.Routing;

/// <summary>How fast a replica is at what a placement changes there, in seconds.</summary>
/// <param name="PrefillPerToken">Of a prompt token that must be computed, in a step that is full of them.</param>
/// <param name="Step">Of a decode step, however few share it.</param>
/// <param name="StepPerSequence">By which each sequence makes a step longer.</param>
/// <param name="StepPerContextToken">By which each token that the sequences look back at does.</param>
internal readonly record struct PlacementRates(double PrefillPerToken, double Step, double StepPerSequence, double StepPerContextToken)
{
    // An RTX 4090 with an 8B model: what a step takes longer for each sequence and each token of context, over a token of prefill.
    private const double SequenceOverPrefill = 0.164;
    private const double ContextOverPrefill = 1.58e-3;

    // Up to so many tokens a step reads the weights longer than it computes: they pass at this share of the price.
    private const int CheapTokens = 256;
    private const double CheapShare = 0.4;

    // One learned number stretches them all. The coefficients of a learned line are right together at the loads that were seen, but each alone may be far off:
    // equal engines would look unequal, and the one that looks fast would get the work.
    public static PlacementRates Of(in ReplicaSnapshot replica)
    {
        var scale = replica.Rates.StepScale;
        var prefill = scale * ServiceRates.Initial.PrefillSecondsPerToken;
        return new PlacementRates(prefill, scale * ServiceRates.Initial.StepBaseSeconds, SequenceOverPrefill * prefill, ContextOverPrefill * prefill);
    }

    /// <summary>Seconds of prefill of so many uncached tokens beside so many sequences that decode.</summary>
    public double PrefillSeconds(double tokens, double sequences) =>
        PrefillPerToken * (tokens - ((1 - CheapShare) * Math.Min(tokens, Math.Max(0, CheapTokens - sequences))));

    /// <summary>Seconds of a decode step that so many sequences share, which look back at so many tokens.</summary>
    public double StepSeconds(double sequences, double contextTokens) => Step + (StepPerSequence * sequences) + (StepPerContextToken * contextTokens);
}
