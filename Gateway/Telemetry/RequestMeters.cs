using System.Diagnostics;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>Counts every request at its end.</summary>
public sealed class RequestMeters(GatewayMeters meters, EstimateCalibration calibration, Fleet fleet, Func<TelemetryOptions> options) : ICompletionObserver
{
    private const double UpperQuantile = 0.9;

    private readonly GenAiMeters _genAi = new(meters, fleet);

    /// <inheritdoc/>
    public void OnCompleted(CompletedRequest completed)
    {
        var model = meters.ModelTag(completed.Model);
        var route = new KeyValuePair<string, object?>(MetricNames.Route, completed.Route.Path);
        var tags = new TagList { model, route, GatewayMeters.CodeTag(completed.StatusCode) };
        meters.Tag(ref tags, completed.Tenant);
        meters.Requests.Add(1, tags);
        meters.RequestDuration.Record(completed.Duration.TotalSeconds, model, route);
        CountRefusal(completed);
        if (completed.Model is null || completed.Request is not { } request)
        {
            return;
        }
        meters.QueueWait.Record(completed.QueueWait.TotalSeconds, model, PriorityTag(request.Priority));
        if (completed.ReplicaId is null)
        {
            return;
        }
        meters.Overhead.Record(completed.Overhead.TotalSeconds);
        if (completed.TimeToFirstToken is { } first)
        {
            // A stored response tells again what its making used; these routes run no model.
            if (!completed.Route.TakesNoRoom)
            {
                CountTokens(completed, model);
            }
            if (request.Body.IsStreaming)
            {
                meters.TimeToFirstToken.Record(first.TotalSeconds, model);
            }
        }
        CompareWithEstimate(completed, completed.Model, model);
        if (options().GenAiMetrics)
        {
            _genAi.Record(completed, request, completed.Model);
        }
    }

    private static KeyValuePair<string, object?> PriorityTag(PriorityClass priority) => new(MetricNames.Priority, priority.Word());

    private void CountRefusal(CompletedRequest completed)
    {
        var reason = completed.ErrorCode;
        if (completed.Outcome == RequestOutcome.Refused || (reason is not null && GatewayMeters.IsRefusal(reason)))
        {
            meters.OnRefusal(completed.Model, reason);
        }
        if (completed.IsPriorityLowered)
        {
            meters.OnRefusal(completed.Model, GatewayMeters.PriorityClamped);
        }
    }

    private void CountTokens(CompletedRequest completed, KeyValuePair<string, object?> model)
    {
        var promptTokens = completed.Usage?.PromptTokens ?? completed.Estimate?.PromptTokens ?? 0;
        var tags = new TagList { model };
        meters.Tag(ref tags, completed.Tenant);
        meters.PromptTokens.Add(promptTokens, tags);
        meters.OutputTokens.Add(completed.OutputTokens, tags);
        meters.PrefixHitTokens.Add(completed.PrefixHitTokens, model);
    }

    private void CompareWithEstimate(CompletedRequest completed, string model, KeyValuePair<string, object?> modelTag)
    {
        // Only whole answers are compared. One cut by its own token limit counts as whole, since the estimate is cut at that limit too; of one that goes on in the background
        // nothing is known.
        if (completed is not { Outcome: RequestOutcome.Success, Route.Generates: true, Estimate: { } estimate } || (completed.Request!.Body.IsBackground && completed.Usage is null))
        {
            return;
        }
        meters.EstimateErrorTokens.Record(Math.Abs(completed.OutputTokens - estimate.OutputTokens), modelTag);
        if (estimate.Sequences == 1)
        {
            calibration.Record(model, estimate.OutputTokens, estimate.Output.Quantile(UpperQuantile), completed.OutputTokens);
        }
    }
}
