namespace Gateway.Replay.Calibration;

/// <summary>When the tokens of one streamed answer came. Times are milliseconds from any common origin.</summary>
/// <param name="SentAt">When the request was sent.</param>
/// <param name="TokenTimes">One per token, ascending; at least one.</param>
/// <param name="PromptTokens">Prompt, as the engine counted it.</param>
/// <param name="CachedTokens">Of these, found in the engine's prefix cache.</param>
public sealed record StreamTiming(double SentAt, IReadOnlyList<double> TokenTimes, int PromptTokens, int CachedTokens)
{
    /// <summary>Sending to first token.</summary>
    public double TimeToFirstToken => TokenTimes[0] - SentAt;
}
