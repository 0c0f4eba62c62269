using System.Diagnostics;
using System.Net.Http;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Gateway;

/// <summary>The spans of one request: the request itself, its wait and placement, each attempt, and the stream. Used by one request; made only where spans are listened to.</summary>
internal sealed class RequestTrace : IAttemptObserver
{
    private const string TraceParent = "traceparent";
    private const string TraceState = "tracestate";

    private readonly Activity _server;
    private readonly ApiRoute _route;
    private readonly TimeProvider _time;
    private string _name;
    private string? _model;
    private Activity? _attempt;
    private DateTimeOffset _sentAt;
    private int _attempts;

    private RequestTrace(Activity server, ApiRoute route, TimeProvider time) => (_server, _route, _time, _name) = (server, route, time, route.Path);

    /// <summary>The trace.</summary>
    public ActivityTraceId Id => _server.TraceId;

    /// <summary>Begins the request's span, within the client's trace where it names one, and makes it the current one.</summary>
    /// <returns>Null where nobody listens.</returns>
    public static RequestTrace? Start(HttpRequest request, ApiRoute route, string requestId, TimeProvider time)
    {
        if (!TelemetrySession.Spans.HasListeners())
        {
            return null;
        }
        // ASP.NET's own span is not exported: as the parent it would be missing in the trace.
        Activity.Current = null;
        var headers = request.Headers;
        _ = ActivityContext.TryParse(headers[TraceParent], headers[TraceState], isRemote: true, out var client);
        if (TelemetrySession.Spans.StartActivity(route.Path, ActivityKind.Server, client, startTime: time.GetUtcNow()) is not { } server)
        {
            return null;
        }
        server.SetTag(SpanNames.Method, request.Method).SetTag(SpanNames.Route, route.Path).SetTag(SpanNames.RequestId, requestId);
        return new RequestTrace(server, route, time);
    }

    /// <summary>It is known what is asked.</summary>
    public void Understood(InferenceRequest request, string model)
    {
        _model = model;
        _name = GenAiMeters.OperationOf(_route.Kind) is { } operation ? $"{operation} {model}" : _route.Path;
        _server.DisplayName = _name;
        Describe(_server);
        var body = request.Body;
        _server.SetTag(SpanNames.Priority, request.Priority.Word()).SetTag(GenAiNames.IsStream, body.IsStreaming);
        if (body.MaxOutputTokens is { } most)
        {
            _server.SetTag(GenAiNames.MaxTokens, most);
        }
        if (body.Choices > 1)
        {
            _server.SetTag(GenAiNames.ChoiceCount, body.Choices);
        }
    }

    /// <summary>The wait is over, with a replica or without.</summary>
    public void Admitted(in AdmissionResult admission)
    {
        var now = _time.GetUtcNow();
        using (var queue = Child(SpanNames.Queue, ActivityKind.Internal, _server, now - admission.Waited))
        {
            queue?.SetTag(SpanNames.QueueOutcome, admission.Outcome.ToString());
            if (admission.HeldFor != HoldReason.None)
            {
                queue?.SetTag(SpanNames.HeldFor, GatewayMeters.WordOf(admission.HeldFor));
            }
            queue?.SetEndTime(now.UtcDateTime);
        }
        if (admission.Reservation is { } reservation)
        {
            using var placement = Child(SpanNames.Placement, ActivityKind.Internal, _server, now);
            placement?.SetTag(SpanNames.Replica, reservation.Replica.Id)
                .SetTag(SpanNames.PlacementReason, GatewayMeters.WordOf(admission.Reason))
                .SetTag(SpanNames.PrefixHitTokens, admission.PrefixHitTokens)
                .SetEndTime(now.UtcDateTime);
        }
    }

    /// <inheritdoc/>
    public void OnSending(HttpRequestMessage message, Replica replica)
    {
        _attempt?.Dispose();
        _sentAt = _time.GetUtcNow();
        _attempt = Child(_name, ActivityKind.Client, _server, _sentAt);
        Describe(_attempt);
        _attempt?.SetTag(SpanNames.Attempt, ++_attempts)
            .SetTag(SpanNames.Replica, replica.Id)
            .SetTag(GenAiNames.ProviderName, GenAiMeters.ProviderOf(replica.Report.Engine))
            .SetTag(GenAiNames.ServerAddress, replica.Address.Host)
            .SetTag(GenAiNames.ServerPort, replica.Address.Port);
        // The engine's spans belong under the attempt, or under the request where attempts are not recorded.
        var parent = _attempt ?? _server;
        Replace(message, TraceParent, parent.Id);
        Replace(message, TraceState, parent.TraceStateString);
    }

    /// <inheritdoc/>
    public void OnFailed(AttemptFailure failure)
    {
        if (failure.Status > 0)
        {
            _attempt?.SetTag(SpanNames.Status, failure.Status);
        }
        Fail(_attempt, failure.Reason);
        _attempt?.SetEndTime(_time.GetUtcNow().UtcDateTime);
        _attempt?.Dispose();
        _attempt = null;
    }

    /// <summary>The request is over.</summary>
    public void End(CompletedRequest completed)
    {
        var now = _time.GetUtcNow();
        var error = completed.Outcome is RequestOutcome.Success or RequestOutcome.ClientError ? null
            : completed.ErrorCode is { } code && AccessLogLine.IsWord(code) ? code : GenAiNames.OtherError;
        if (_attempt is { } attempt)
        {
            EndAttempt(attempt, completed, error, now);
        }
        _server.SetTag(SpanNames.Status, completed.StatusCode).SetTag(SpanNames.Outcome, AccessLogLine.OutcomeOf(completed.Outcome)).SetTag(SpanNames.Retries, completed.Retries);
        Add(_server, SpanNames.Tenant, completed.Tenant);
        Add(_server, SpanNames.Replica, completed.ReplicaId);
        if (completed.Estimate is { } estimate)
        {
            _server.SetTag(SpanNames.EstimatedTokens, Math.Round(estimate.OutputTokens, 1));
        }
        AddUsage(_server, completed);
        Fail(_server, error);
        _server.SetEndTime(now.UtcDateTime);
        _server.Dispose();
    }

    private void EndAttempt(Activity attempt, CompletedRequest completed, string? error, DateTimeOffset now)
    {
        AddUsage(attempt, completed);
        var first = completed.TimeToFirstToken is { } toFirst ? completed.ArrivedAt + toFirst : (DateTimeOffset?)null;
        if (first is { } at && completed.Request is { Body.IsStreaming: true })
        {
            attempt.SetTag(GenAiNames.FirstChunkTime, Math.Max(0, (at - _sentAt).TotalSeconds));
            using var stream = Child(SpanNames.Stream, ActivityKind.Internal, attempt, at);
            stream?.SetTag(GenAiNames.OutputTokens, completed.OutputTokens).SetEndTime((at + (completed.StreamDuration ?? TimeSpan.Zero)).UtcDateTime);
        }
        Fail(attempt, error);
        attempt.SetEndTime(now.UtcDateTime);
        attempt.Dispose();
    }

    private static void AddUsage(Activity span, CompletedRequest completed)
    {
        if (completed.ReplicaId is null)
        {
            return;
        }
        span.SetTag(GenAiNames.OutputTokens, completed.OutputTokens);
        Add(span, GenAiNames.InputTokens, completed.Usage?.PromptTokens);
        Add(span, GenAiNames.CachedTokens, completed.Usage?.CachedTokens);
        Add(span, GenAiNames.ReasoningTokens, completed.Usage?.ReasoningTokens);
    }

    private void Describe(Activity? span)
    {
        if (GenAiMeters.OperationOf(_route.Kind) is { } operation)
        {
            span?.SetTag(GenAiNames.OperationName, operation).SetTag(GenAiNames.RequestModel, _model);
        }
    }

    private static Activity? Child(string name, ActivityKind kind, Activity parent, DateTimeOffset startedAt) =>
        TelemetrySession.Spans.StartActivity(name, kind, parent.Context, startTime: startedAt);

    private static void Fail(Activity? span, string? error)
    {
        if (error is not null)
        {
            span?.SetTag(GenAiNames.ErrorType, error).SetStatus(ActivityStatusCode.Error);
        }
    }

    private static void Add(Activity span, string name, object? value)
    {
        if (value is not null)
        {
            span.SetTag(name, value);
        }
    }

    private static void Replace(HttpRequestMessage message, string name, string? value)
    {
        message.Headers.Remove(name);
        if (value is { Length: > 0 })
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }
    }
}
