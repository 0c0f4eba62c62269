namespace Gateway.Replicas.Rates;

/// <summary>How fast one replica works, as learned from its answers: seconds of prefill and decode. Immutable; swapped whole.</summary>
/// <remarks>ALISE (arXiv 2410.23537): prefill is linear in tokens, a decode step linear in what shares it; the constants are kept up to date here.</remarks>
public sealed record ServiceRates
{
    /// <summary>The measured RTX 4090 with an 8B model (LLMServingSim tables): what is believed of an engine that has answered nothing yet.</summary>
    public static readonly ServiceRates Initial = new();

    /// <summary>Seconds from sending to the first token of a prompt that is wholly cached, with nothing ahead.</summary>
    public double FirstTokenSeconds { get; init; } = 0.025;

    /// <summary>Seconds per prompt token that must be computed.</summary>
    public double PrefillSecondsPerToken { get; init; } = 0.0885e-3;

    /// <summary>Seconds of a decode step, however few share it.</summary>
    public double StepBaseSeconds { get; init; } = 0.016;

    /// <summary>Seconds that each sequence adds to a decode step.</summary>
    public double StepSecondsPerSequence { get; init; } = 0.2e-3;

    /// <summary>How slow the replica is, in one number: time of a step with the prompts computed beside it, over the time that <see cref="Initial"/> gives for the same. Equal engines have the same, whatever their share of prompts.</summary>
    public double StepScale { get; init; } = 1;

    /// <summary>Mean seconds by which the prefill of other requests lengthened a decode step lately.</summary>
    public double StepDelaySeconds { get; init; }

    /// <summary>How many seconds before a step a request must be sent to be part of it: the network both ways and the work of the engine's HTTP server. A later request is part of the step after.</summary>
    public double JoinSeconds { get; init; } = 0.002;

    /// <summary>Answers learned from.</summary>
    public int Answers { get; init; }

    /// <summary>How predictions of the time to first token came out.</summary>
    public RateCalibration Prefill { get; init; }

    /// <summary>How predictions of the time from the first token to the last came out.</summary>
    public RateCalibration Decode { get; init; }

    /// <summary>Whether enough answers were seen to prefer these rates to a guess.</summary>
    public bool IsLearned => Answers >= 16;

    /// <summary>Whether enough first tokens were seen to say when one is late: plain answers do not show theirs.</summary>
    public bool IsPrefillLearned => Prefill.Predictions >= 16;

    /// <summary>Whether enough answers of some length were seen to say how long a step takes.</summary>
    public bool IsDecodeLearned => Decode.Predictions >= 16;

    /// <summary>Seconds of a decode step that so many sequences share: the time per token of each of them.</summary>
    public double StepSeconds(double batch) => StepBaseSeconds + (StepSecondsPerSequence * Math.Max(1, batch));

    /// <summary>Seconds of a step that also computes so many prompt tokens.</summary>
    public double StepSeconds(double batch, double prefillTokens) => StepSeconds(batch) + (PrefillSecondsPerToken * prefillTokens);

    /// <summary>Seconds until the step begins that a request sent now is part of.</summary>
    /// <param name="elapsedSeconds">Since the step in progress began, as far as that was heard; longer than it takes: where it is cannot be told.</param>
    /// <param name="batch">Sequences that decode.</param>
    /// <param name="prefillTokens">Prompt tokens that the step in progress computes.</param>
    public double SecondsToJoin(double elapsedSeconds, double batch, double prefillTokens)
    {
        if (batch + prefillTokens <= 0)
        {
            return JoinSeconds;
        }
        var step = StepSeconds(batch);
        var left = StepSeconds(batch, prefillTokens) - elapsedSeconds;
        return left < 0 ? JoinSeconds + (step / 2) : left + (step * Math.Ceiling(Math.Max(0, JoinSeconds - left) / step));
    }

    /// <summary>Seconds until the first token of a prompt sent now.</summary>
    /// <param name="queuedTokens">Prompt tokens sent before and not yet computed.</param>
    /// <param name="uncachedTokens">Its own tokens that must be computed.</param>
    public double TimeToFirstToken(long queuedTokens, int uncachedTokens) =>
        FirstTokenSeconds + (PrefillSecondsPerToken * (queuedTokens + uncachedTokens));

    /// <summary>Seconds that one sequence takes for so many tokens while so many share the steps and prompts come as they did lately.</summary>
    public double DecodeSeconds(double tokens, double batch) => tokens * (StepSeconds(batch) + StepDelaySeconds);

    /// <summary>The initial rates of an engine so many times as fast.</summary>
    public static ServiceRates Of(double speed) => Initial with
    {
        FirstTokenSeconds = Initial.FirstTokenSeconds / speed,
        PrefillSecondsPerToken = Initial.PrefillSecondsPerToken / speed,
        StepBaseSeconds = Initial.StepBaseSeconds / speed,
        StepSecondsPerSequence = Initial.StepSecondsPerSequence / speed,
        StepScale = 1 / speed,
    };
}
