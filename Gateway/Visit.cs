using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Api;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;

namespace Gateway;

/// <summary>What becomes known of one request on its path; at the end it is the value that is logged, counted and learned from. Used by one request.</summary>
internal sealed class Visit : IDisposable
{
    private readonly TimeProvider _time;
    private readonly DateTimeOffset _arrived;
    private Caller _caller = Caller.Anybody;
    private InferenceRequest? _request;
    private RequestBytes? _body;
    private RequestEstimate? _estimate;
    private AdmissionResult _admission;
    private TimeSpan _queueWait;
    private TimeSpan? _overhead;
    private Exchange? _exchange;
    private string? _model;
    private string? _errorCode;
    private int? _status;
    private int? _toldStatus;
    private Heartbeat? _heartbeat;
    private bool _clientLeft;
    private TimeSpan _upload;

    public Visit(HttpContext http, ApiRoute route, TimeProvider time)
    {
        Http = http;
        Route = route;
        _time = time;
        ArrivedAt = time.GetTimestamp();
        _arrived = time.GetUtcNow();
        RequestId = HeaderFacts.RequestId(http.Request.Headers);
        Trace = RequestTrace.Start(http.Request, route, RequestId, time);
    }

    /// <summary>The request's spans; null: nobody wants them.</summary>
    public RequestTrace? Trace { get; }

    public HttpContext Http { get; }

    public ApiRoute Route { get; }

    public string RequestId { get; }

    /// <summary>Whether another request under way has the same id.</summary>
    public bool SharesId { get; set; }

    /// <summary>Timestamp of the clock.</summary>
    public long ArrivedAt { get; }

    public void Identified(Caller caller) => _caller = caller;

    public void Understood(InferenceRequest request, RequestBytes body, TimeSpan upload) => (_request, _body, _upload) = (request, body, upload);

    public void Estimated(string model, in RequestEstimate estimate)
    {
        (_model, _estimate) = (model, estimate);
        Trace?.Understood(_request!, model);
    }

    /// <summary>Notes how the wait at a model ended. Waits at several models, one after the other, add up.</summary>
    public void Admitted(in AdmissionResult admission)
    {
        _queueWait += admission.Waited;
        _admission = admission;
        Trace?.Admitted(admission);
    }

    public void Begin(Exchange exchange) => _exchange = exchange;

    /// <summary>The exchange that began last is over, and knows the waits between its attempts.</summary>
    public void Forwarded()
    {
        // What comes after the first attempt is the engines' time and further waits, not the gateway's.
        _overhead ??= _exchange!.SentAt is { } sentAt ? OverheadUntil(sentAt) : null;
        _queueWait += _exchange!.QueueWait - _admission.Waited;
    }

    /// <summary>What tells the client something before the answer is there; null: nothing does.</summary>
    public Heartbeat? KeepAlive(HeartbeatOptions options, InferenceRequest request) => _heartbeat ??= Heartbeat.For(Http, request, options, ArrivedAt, _time);

    /// <summary>The client is gone. What is missing of its body is not waited for: the server would call that an error of its own.</summary>
    public void ClientLeft()
    {
        _clientLeft = true;
        Http.Abort();
    }

    /// <summary>Tells the client why it gets no answer.</summary>
    public Task RefuseAsync(ApiProblem problem)
    {
        _errorCode = problem.Code;
        if (problem.Status == OutcomeMap.ClientClosedRequest)
        {
            ClientLeft();
            return Task.CompletedTask;
        }
        if (_heartbeat is { HasCommitted: true } committed)
        {
            _toldStatus = ApiError.StatusFor(problem, Route.Family);
            return committed.EndAsync(new WireError(_toldStatus.Value, problem.Type, problem.Code, problem.Message, problem.Param));
        }
        _status = ApiError.StatusFor(problem, Route.Family);
        return ApiError.WriteAsync(Http, Route.Family, problem, RequestId);
    }

    /// <summary>Tokens that were made for the answer; null where it did not come to its end, or where nothing was made for it.</summary>
    public int? AnswerTokens => !Route.TakesNoRoom && _exchange?.Answer is { IsComplete: true } answer ? answer.OutputTokens : null;

    /// <summary>Charges the caller with what was really used. The first call counts.</summary>
    public void Settle() => _caller.Leave(Route, TokensUsed());

    /// <summary>Gives back what the request held.</summary>
    public void Dispose()
    {
        _body?.Dispose();
        Settle();
    }

    /// <summary>Gives back what was learned from; after the last observer.</summary>
    public void Forget() => _request?.Body.Sketch?.Return();

    /// <summary>The request at its end.</summary>
    /// <param name="tenants">How its tenant may be shown.</param>
    public CompletedRequest Complete(TenantNaming tenants)
    {
        var answer = _exchange?.Answer;
        // When an answer breaks off, the server may abort the client's connection: that does not mean that the client left.
        var left = _clientLeft || (Http.RequestAborted.IsCancellationRequested && answer is not ({ IsComplete: true } or { IsBroken: true }) && _errorCode is null);
        var status = left ? OutcomeMap.ClientClosedRequest : _status ?? Http.Response.StatusCode;
        var isBroken = answer is { IsBroken: true } && _errorCode is null && !left;
        return new CompletedRequest
        {
            Request = _request,
            Route = Route,
            RequestId = RequestId,
            TraceId = Trace?.Id ?? HeaderFacts.TraceId(Http.Request.Headers),
            Model = _model,
            ReplicaId = _exchange?.Reservation.Replica.Id,
            ContinuedFrom = _exchange?.ContinuedFrom?.Id,
            Tenant = TenantAs(tenants),
            IsPriorityLowered = _caller.IsPriorityLowered,
            Estimate = _estimate,
            Outcome = isBroken ? RequestOutcome.Failed : OutcomeMap.OutcomeOf(left ? status : _toldStatus ?? status),
            ErrorCode = left ? "client_closed_request" : isBroken ? (answer!.IsCutByStop ? "shutting_down" : "upstream_stream_broken") : _errorCode,
            StatusCode = status,
            ArrivedAt = _arrived,
            Duration = _time.GetElapsedTime(ArrivedAt),
            QueueWait = _queueWait,
            HeldFor = _admission.HeldFor == HoldReason.None ? null : GatewayMeters.WordOf(_admission.HeldFor),
            PlacedBy = _admission.Reservation is null ? null : GatewayMeters.WordOf(_admission.Reason),
            Overhead = _overhead ?? OverheadUntil(_time.GetTimestamp()),
            TimeToFirstToken = answer?.FirstTokenAt is { } first ? _time.GetElapsedTime(ArrivedAt, first) : null,
            StreamDuration = answer is { FirstTokenAt: { } begin, LastTokenAt: { } end } && end > begin ? _time.GetElapsedTime(begin, end) : null,
            Usage = answer?.ReportedUsage,
            OutputTokens = answer?.OutputTokens ?? 0,
            PrefixHitTokens = _exchange?.PrefixHitTokens ?? 0,
            IsCensored = left || answer is { Finish: FinishKind.Length } or { IsComplete: false },
            Retries = _exchange?.Retries ?? 0,
            Continuations = answer?.Continuations ?? 0,
            MalformedFrames = answer?.MalformedFrames ?? 0,
        };
    }

    // A stream is charged as far as it went. A client that leaves while its prompt is computed is charged for the prompt: the engine did that work. Nothing is charged
    // where the engine failed, or where what came was no answer to what was asked.
    private TokenAmount TokensUsed()
    {
        if (_exchange is not { Answer: { } answer, SentAt: not null })
        {
            return TokenAmount.None;
        }
        var hasLeft = _clientLeft || Http.RequestAborted.IsCancellationRequested;
        return (_exchange.HasPassed && answer.FirstTokenAt is not null) || hasLeft
            ? new TokenAmount(answer.Usage.PromptTokens ?? _estimate?.PromptTokens ?? 0, answer.ChargedTokens(_exchange.Request))
            : TokenAmount.None;
    }

    /// <summary>The caller's tenant as it may be shown; null: not at all, or there is none.</summary>
    public string? TenantAs(TenantNaming naming) => (naming, _caller.Tenant) switch
    {
        (TenantNaming.Name, { } tenant) => tenant.Name,
        (TenantNaming.Hash, { } tenant) => tenant.KeyText,
        _ => null,
    };

    private TimeSpan OverheadUntil(long until)
    {
        var overhead = _time.GetElapsedTime(ArrivedAt, until) - _queueWait - _upload;
        return overhead > TimeSpan.Zero ? overhead : TimeSpan.Zero;
    }
}
