using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Estimation;

/// <summary>Puts prompt and answer together: what a request will cost, within its own limits and the model's context. Thread-safe.</summary>
public sealed class RequestEstimator(PromptTokenRatio ratio, Func<IOutputLengthEstimator> lengths)
{
    // The longest answer when neither client nor engine names a limit.
    private const int UnknownLimitTokens = 32_768;

    /// <param name="request">The request.</param>
    /// <param name="model">The pool's settings.</param>
    /// <param name="contextTokens">Longest prompt and answer together; null: unknown.</param>
    public RequestEstimate Estimate(InferenceRequest request, ModelOptions model, int? contextTokens)
    {
        var (prompt, least) = ratio.Tokens(request.Body, model.Name, model.BytesPerToken);
        if (!request.Route.Generates)
        {
            return new RequestEstimate(prompt, least, OutputLengthEstimate.Nothing, 1);
        }
        var room = contextTokens is { } context ? Math.Max(1, context - prompt) : UnknownLimitTokens;
        var limit = Math.Min(request.Body.MaxOutputTokens ?? room, room);
        var minimum = request.Body.IgnoresEndOfSequence ? limit : request.Body.MinOutputTokens;
        var output = new OutputLengthEstimate(lengths().Predict(request, model.Name), minimum, limit);
        return new RequestEstimate(prompt, least, output, Math.Max(1, request.Body.Prompts * request.Body.Choices));
    }
}
