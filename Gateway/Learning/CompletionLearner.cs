using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Learning;

/// <summary>Takes the lessons of completed requests: lengths, and bytes per token. Quick enough to run where the request ends; thread-safe.</summary>
/// <param name="fleet">The pools.</param>
/// <param name="ratio">Learns bytes per token, of every request.</param>
/// <param name="lengths">Learns lengths, of as many answers a second as are worth their time.</param>
/// <param name="time">The clock.</param>
public sealed class CompletionLearner(Fleet fleet, PromptTokenRatio ratio, Func<IOutputLengthEstimator> lengths, TimeProvider time) : ICompletionObserver
{
    private readonly LessonSampler _sampler = new(time);

    public void OnCompleted(CompletedRequest completed)
    {
        if (completed is not { Request: { } request, Model: { } model } || fleet.Find(model) is not { } pool)
        {
            return;
        }
        if (completed.Usage?.PromptTokens is { } promptTokens)
        {
            ratio.Learn(request.Body, model, pool.Options.BytesPerToken, promptTokens);
        }
        var isAnswer = completed.Outcome is RequestOutcome.Success or RequestOutcome.Canceled;
        if (isAnswer && request.Route.Generates && completed.OutputTokens > 0 && lengths() is IOutputLengthLearner learner && _sampler.Takes())
        {
            var sequences = RequestEstimator.SequencesOf(request.Body);
            learner.Learn(request, model, completed.OutputTokens / sequences, completed.IsCensored || IsForced(request.Body));
        }
    }

    // An answer that had to reach its limit says nothing about how long others like to be.
    private static bool IsForced(BodyFacts body) => body.IgnoresEndOfSequence;
}
