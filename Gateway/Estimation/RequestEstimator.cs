using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>Puts prompt and answer together: what a request will cost, within its own limits and the model's context. Thread-safe.</summary>
public sealed class RequestEstimator(PromptTokenRatio ratio, Func<IOutputLengthEstimator> lengths)
{
    // The longest answer when neither client nor engine names a limit.
    private const int UnknownLimitTokens = 32_768;

    // More than any engine runs at once: sums of such numbers stay far from overflow.
    private const int MostSequences = 1 << 20;

    /// <param name="request">The request.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="initialBytesPerToken">Bytes of prompt text per token until usage has taught better.</param>
    /// <param name="contextTokens">Longest prompt and answer together; null: unknown.</param>
    public RequestEstimate Estimate(InferenceRequest request, string model, double initialBytesPerToken, int? contextTokens)
    {
        var (prompt, least) = ratio.Tokens(request.Body, model, initialBytesPerToken);
        if (!request.Route.Generates)
        {
            return new RequestEstimate(prompt, least, OutputLengthEstimate.Nothing, 1);
        }
        var room = contextTokens is { } context ? Math.Max(1, context - prompt) : UnknownLimitTokens;
        var limit = Math.Min(request.Body.MaxOutputTokens ?? room, room);
        var minimum = request.Body.IgnoresEndOfSequence ? limit : request.Body.MinOutputTokens;
        var output = new OutputLengthEstimate(lengths().Predict(request, model), minimum, limit);
        return new RequestEstimate(prompt, least, output, SequencesOf(request.Body));
    }

    /// <summary>Answers generated in parallel: prompts times choices, at least 1.</summary>
    public static int SequencesOf(BodyFacts body) => (int)Math.Clamp((long)body.Prompts * body.Choices, 1, MostSequences);
}
