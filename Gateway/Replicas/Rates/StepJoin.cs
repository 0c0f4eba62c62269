namespace Gateway.Replicas.Rates;

/// <summary>Which step a request was expected to be part of when it was sent, to learn from its first token how long before a step it has to be sent.</summary>
/// <param name="MarginSeconds">From the latest moment at which it could have been sent to when it was.</param>
/// <param name="FirstTokenSeconds">From sending to its first token, at the end of that step.</param>
/// <param name="StepSeconds">Of one step there; 0: nothing is learned.</param>
internal readonly record struct StepJoin(double MarginSeconds, double FirstTokenSeconds, double StepSeconds)
{
    // Longer prompts lengthen their own step by an amount that is known too badly to tell which step they joined.
    private const int MostPromptTokens = 256;

    // Only requests sent close to the limit tell where it is. The late ones among them weigh four times as much, so that one in five is late in the long run: being late
    // costs a whole step, being early less.
    private const double NearShare = 0.25;
    private const double PaceShare = 1.0 / 32;
    private const double LateWeight = 4;

    // A longer delay is not the way to the engine: something else holds such requests up.
    private const double MostSeconds = 0.25;

    /// <summary>Made for a short prompt with no other ahead of it, beside answers that are decoding; in all other cases nothing can be learned, and the default is returned.</summary>
    /// <param name="load">The request.</param>
    /// <param name="rates">Of its replica.</param>
    /// <param name="elapsedSeconds">Since the step in progress began.</param>
    /// <param name="batch">Sequences that decode there.</param>
    /// <param name="aheadTokens">Prompt tokens sent before and not yet computed.</param>
    public static StepJoin Of(in LoadProfile load, ServiceRates rates, double elapsedSeconds, double batch, long aheadTokens)
    {
        if (!load.TellsFirstToken || load.UncachedTokens > MostPromptTokens || batch <= 0 || aheadTokens > 0 || elapsedSeconds >= rates.StepSeconds(batch))
        {
            return default;
        }
        var wait = rates.SecondsToJoin(elapsedSeconds, batch, 0);
        return new StepJoin(wait - rates.JoinSeconds, wait + rates.StepSeconds(batch + load.Sequences, load.UncachedTokens), rates.StepSeconds(batch));
    }

    /// <summary>How long before a step a request has to be sent, after this one's first token.</summary>
    /// <param name="joinSeconds">As was believed.</param>
    /// <param name="firstTokenSeconds">From sending to the first token.</param>
    public double Learn(double joinSeconds, double firstTokenSeconds)
    {
        var late = firstTokenSeconds - FirstTokenSeconds;
        if (StepSeconds <= 0 || (MarginSeconds > NearShare * StepSeconds && late > -StepSeconds / 2))
        {
            return joinSeconds;
        }
        return Math.Clamp(joinSeconds + (PaceShare * StepSeconds * (late > StepSeconds / 2 ? LateWeight : -1)), 0, MostSeconds);
    }
}
