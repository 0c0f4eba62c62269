namespace Gateway.Estimation;

/// <summary>Seconds of engine time per token, for engines whose own speed is not yet known.</summary>
/// <remarks>The measured RTX 4090 with an 8B model at full batch: prefill 0.0885 ms, decode 0.6 ms per token (LLMServingSim tables).
/// Orders and the choice among replicas of one pool need only the ratio of the two; a replica's weight divides both.</remarks>
public static class ServiceTime
{
    public const double PrefillSecondsPerToken = 0.0885e-3;
    public const double DecodeSecondsPerToken = 0.6e-3;

    /// <summary>Expected engine seconds of a request at full batch: what is not cached of the prompt, then expected output.</summary>
    public static double Seconds(in RequestEstimate estimate) =>
        (estimate.UncachedTokens * PrefillSecondsPerToken) + (estimate.OutputTokens * DecodeSecondsPerToken);
}
