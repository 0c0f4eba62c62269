namespace Gateway.Routing;

/// <summary>Seconds of engine time per token, for engines whose own speed is not yet known.</summary>
/// <remarks>The measured RTX 4090 with an 8B model at full batch: prefill 0.0885 ms, decode 0.6 ms per token (LLMServingSim tables).
/// Only ratios matter for the choice among replicas of one pool; a replica's weight divides both.</remarks>
internal static class ServiceRates
{
    public const double PrefillSecondsPerToken = 0.0885e-3;
    public const double DecodeSecondsPerToken = 0.6e-3;
}
