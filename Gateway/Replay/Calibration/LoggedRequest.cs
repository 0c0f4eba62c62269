namespace Gateway.Replay.Calibration;

/// <summary>What a gateway's access log tells of one answered request. Times are milliseconds from any common origin.</summary>
/// <param name="Replica">Which engine answered.</param>
/// <param name="SentAt">When it was sent to the engine: arrival plus the wait for a turn.</param>
/// <param name="FirstTokenAt">When the first token came.</param>
/// <param name="LastTokenAt">When the last token came; the first where there was only one.</param>
/// <param name="PromptTokens">Prompt, as the engine counted it.</param>
/// <param name="CachedTokens">Of these, found in the engine's prefix cache.</param>
/// <param name="OutputTokens">Answer, at least 1.</param>
public readonly record struct LoggedRequest(
    string Replica, double SentAt, double FirstTokenAt, double LastTokenAt, int PromptTokens, int CachedTokens, int OutputTokens);
