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
    // Up to so many tokens a step reads the weights longer than it computes: they pass at this share of the price.
    private const int CheapTokens = 256;
    private const double CheapShare = 0.4;

    // An RTX 4090 with an 8B model: what a step takes longer for each sequence and each token of context, over a token of prefill. A sequence is one cheap token
    // of its own, and what attention and sampling take for it.
    private const double SequenceOverPrefill = CheapShare + 0.164;
    private const double ContextOverPrefill = 1.58e-3;

    // A replica's own speed and that of the others count alike after so many answers; older ones than the last hundred or so are forgotten.
    private const double PoolAnswers = 16;
    private const int MostAnswers = 128;

    // By so much equal engines look unequal, since each answered other requests. Among idle ones the fastest would get every session.
    private const double Doubt = 0.02;

    /// <param name="replica">Whose.</param>
    /// <param name="usualScale">Of <see cref="UsualScale"/>.</param>
    // One learned number stretches them all. The coefficients of a learned line are right together at the loads that were seen, but each alone may be far off:
    // equal engines would look unequal, and the one that looks fast would get the work. So would one that is measured beside those of which nothing is known.
    public static PlacementRates Of(in ReplicaSnapshot replica, double usualScale)
    {
        var answers = Math.Min(MostAnswers, replica.Rates.Answers);
        var usual = usualScale / replica.Weight;
        var beyond = answers * (replica.Rates.StepScale - usual) / (answers + PoolAnswers);
        var scale = usual + beyond - Math.Clamp(beyond, -Doubt * usual, Doubt * usual);
        var prefill = scale * ServiceRates.Initial.PrefillSecondsPerToken;
        return new PlacementRates(prefill, scale * ServiceRates.Initial.StepBaseSeconds, SequenceOverPrefill * prefill, ContextOverPrefill * prefill);
    }

    /// <summary>How long a step takes at a replica of weight 1, over that of the engine that is believed at first: what the answers of all candidates say.</summary>
    public static double UsualScale(ReadOnlySpan<Candidate> candidates)
    {
        var (sum, answers, first) = (0.0, 0, 0.0);
        foreach (ref readonly var candidate in candidates)
        {
            var known = Math.Min(MostAnswers, candidate.Replica.Rates.Answers);
            var scale = candidate.Replica.Rates.StepScale * candidate.Replica.Weight;
            sum += known * scale;
            answers += known;
            first += scale;
        }
        return answers > 0 ? sum / answers : first / candidates.Length;
    }

    /// <summary>Seconds of prefill of so many uncached tokens beside so many sequences that decode.</summary>
    public double PrefillSeconds(double tokens, double sequences) =>
        PrefillPerToken * (tokens - ((1 - CheapShare) * Math.Min(tokens, Math.Max(0, CheapTokens - sequences))));

    /// <summary>Seconds by which a step that also computes a prompt, however short, is longer than one that only decodes for so many sequences.</summary>
    // Kernel tables of the RTX 4090: attention costs 1.8 times as much there, which at contexts of some hundred tokens is what the sequences add to the step.
    public double MixSeconds(double sequences) => StepPerSequence * sequences;

    /// <summary>Seconds that all lose by a second's halt of so many sequences, over the number of those: who comes in the meantime finds them still there.</summary>
    public double Aftermath(double sequences) => 1 + (StepPerSequence * sequences / Step);

    /// <summary>Seconds of a decode step that so many sequences share, which look back at so many tokens.</summary>
    public double StepSeconds(double sequences, double contextTokens) => Step + (StepPerSequence * sequences) + (StepPerContextToken * contextTokens);
}
