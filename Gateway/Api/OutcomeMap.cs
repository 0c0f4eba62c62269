using System.Diagnostics;
using System.Globalization;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Api;

/// <summary>A refusal or failure as the client is told.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="Code">The error's code: exact, where the status is only the class.</param>
/// <param name="Type">OpenAI's error type; Anthropic's follows from the status.</param>
/// <param name="Message">What happened and what to do.</param>
public sealed record ApiProblem(int Status, string Code, string Type, string Message)
{
    /// <summary>The offending field or header; null when none.</summary>
    public string? Param { get; init; }

    /// <summary>When asking again may help; null: no such hint.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether asking again as it is cannot help, so that clients must not retry on their own.</summary>
    public bool IsFinal { get; init; }

    /// <summary>Whether nothing more is taken from this connection.</summary>
    public bool EndsConnection { get; init; }
}

/// <summary>The mapping from endings to HTTP, in one place.</summary>
/// <remarks>Doctrine: 429 means that capacity exists but is contended, 503 that none exists now. A departed client is no error.</remarks>
public static class OutcomeMap
{
    public const int ClientClosedRequest = 499;
    private const string InvalidRequest = "invalid_request_error";
    private const string ServerError = "server_error";
    private const string RateLimit = "rate_limit_error";

    /// <summary>What a refused client is told.</summary>
    /// <param name="outcome">Any ending but admission.</param>
    /// <param name="model">The model as asked.</param>
    /// <param name="retryAfter">The queue's own forecast; null: none.</param>
    public static ApiProblem Of(AdmissionOutcome outcome, string model, TimeSpan? retryAfter) => outcome switch
    {
        AdmissionOutcome.RejectedQueueFull => new(429, "queue_full", RateLimit,
            $"The queue for model '{model}' is full. Retry after the time in Retry-After.")
        { RetryAfter = retryAfter },
        AdmissionOutcome.ExpiredInQueue => new(429, "queue_timeout", RateLimit,
            $"The request waited too long for a free replica of model '{model}'. Retry after the time in Retry-After.")
        { RetryAfter = retryAfter },
        AdmissionOutcome.DeadlineExceeded => new(504, "deadline_exceeded", "timeout_error",
            "The request's own deadline cannot be met, or has passed before its answer was there. Allow more time, or ask for less.")
        { IsFinal = true },
        AdmissionOutcome.TimedOut => new(504, "upstream_timeout", "timeout_error",
            $"The time that the request allows passed before it had its turn at model '{model}'. Retry, or allow more time."),
        AdmissionOutcome.RejectedTooLarge => ContextLength(model),
        AdmissionOutcome.RejectedNoReplica => new(503, "no_healthy_replicas", ServerError,
            $"No replica of model '{model}' can take requests now. Retry after the time in Retry-After.")
        { RetryAfter = retryAfter },
        AdmissionOutcome.RejectedHolderGone => new(404, "response_not_found", InvalidRequest,
            $"The replica of model '{model}' that held the response has left the fleet, and the response with it. Send the whole conversation again, without previous_response_id.")
        { Param = "previous_response_id" },
        AdmissionOutcome.RejectedShuttingDown => new(503, "shutting_down", ServerError,
            "This gateway is shutting down. Retry: another instance or the next start will answer.")
        { RetryAfter = retryAfter },
        AdmissionOutcome.CanceledByClient => ClientLeft(),
        _ => throw new UnreachableException($"{outcome} has no answer"),
    };

    /// <summary>What the client is told when no attempt led to an answer.</summary>
    /// <param name="failure">The last attempt's failure.</param>
    /// <param name="model">The model as asked.</param>
    /// <param name="path">The route as asked.</param>
    /// <param name="engine">The kind of engine, for an endpoint that it lacks.</param>
    /// <param name="keyName">Where the pool's key comes from; null: none is configured.</param>
    public static ApiProblem Of(AttemptFailure failure, string model, string path, string engine, string? keyName) => failure.Kind switch
    {
        FailureKind.Unreachable => new(502, "upstream_unreachable", ServerError,
            $"The replicas of model '{model}' could not be reached. Retry; if it stays so, the operator finds the cause in /-/replicas."),
        FailureKind.Timeout or FailureKind.Hung => new(504, "upstream_timeout", "timeout_error",
            $"A replica of model '{model}' did not answer in time. Retry, or ask for less at once."),
        FailureKind.BrokenAnswer => new(502, "upstream_bad_answer", ServerError,
            $"A replica of model '{model}' answered with something that is no answer of this API. Retry; the operator should look at the replica."),
        FailureKind.BodyIncomplete => new(502, "upstream_body_incomplete", ServerError,
            $"The answer of a replica of model '{model}' broke off. Retry."),
        FailureKind.EngineError => new(failure.Status is 500 or 502 or 504 ? failure.Status : 502, "upstream_error", ServerError,
            Words(failure, $"A replica of model '{model}' failed. Retry.")),
        FailureKind.EngineBusy => new(failure.Status == 429 ? 429 : 503, failure.Status == 429 ? "upstream_rate_limited" : "upstream_busy",
            failure.Status == 429 ? RateLimit : ServerError,
            Words(failure, $"The replicas of model '{model}' take no more requests now. Retry after the time in Retry-After."))
        { RetryAfter = failure.RetryAfter ?? TimeSpan.FromSeconds(1) },
        FailureKind.ClientFault => OfClientFault(failure, model),
        FailureKind.Unauthorized => new(502, "upstream_unauthorized", ServerError, keyName is null
            ? $"The engine of model '{model}' asks for an API key. The operator must name the variable that holds it: models[].apiKeyEnv."
            : $"The engine of model '{model}' did not accept the key from the environment variable that models[].apiKeyEnv names. The operator must correct it."),
        FailureKind.EndpointMissing => new(404, "endpoint_not_supported", InvalidRequest,
            $"The engine of model '{model}' ({engine}) has no endpoint {path}. Use a route that it serves."),
        FailureKind.ModelMissing => new(502, "upstream_model_missing", ServerError,
            $"A replica of model '{model}' does not serve it under the name that the gateway sent. The operator must correct upstreamModel or the replica."),
        FailureKind.ClientBody => failure.Status == 413
            ? new(413, "request_too_large", InvalidRequest, "The request body is larger than the limit. Send less, or ask the operator to raise listen.maxBodyBytes.")
            : failure.BodyProblem is { } problem ? Of(problem) with { EndsConnection = true }
            : UnreadableBody(failure.Status),
        FailureKind.DeadlineExceeded => Of(AdmissionOutcome.DeadlineExceeded, model, null),
        FailureKind.ShuttingDown => Of(AdmissionOutcome.RejectedShuttingDown, model, TimeSpan.FromSeconds(1)),
        FailureKind.Preempted => new(503, "preempted", ServerError,
            $"More urgent requests took the room of model '{model}', and no turn came again in time. Retry after the time in Retry-After.")
        { RetryAfter = failure.RetryAfter ?? TimeSpan.FromSeconds(1) },
        FailureKind.ClientGone => ClientLeft(),
        _ => throw new UnreachableException($"{failure.Kind} has no answer"),
    };

    /// <summary>A body that cannot be served.</summary>
    public static ApiProblem Of(BodyProblem problem) => new(400, problem.Code, InvalidRequest, problem.Message) { Param = problem.Param };

    private static ApiProblem OfClientFault(AttemptFailure failure, string model)
    {
        if (failure.IsContextLength)
        {
            return ContextLength(model) with { Message = Words(failure, ContextLength(model).Message) };
        }
        var status = failure.Status is >= 400 and < 500 ? failure.Status : 400;
        var code = status switch
        {
            413 => "request_too_large",
            404 => failure.Code ?? "not_found",
            _ => failure.Code ?? "invalid_request",
        };
        return new ApiProblem(status, code, InvalidRequest,
            Words(failure, "The engine refused the request. Check its fields against the engine's documentation."));
    }

    private static string Words(AttemptFailure failure, string otherwise) => failure.Message is { Length: > 0 } words ? words : otherwise;

    /// <summary>Written to the log only: nobody is left to be told.</summary>
    public static ApiProblem ClientLeft() => new(ClientClosedRequest, "client_closed_request", InvalidRequest, "The client closed the request.");

    /// <param name="model">As asked.</param>
    /// <param name="contextTokens">The model's context; null: not known here.</param>
    public static ApiProblem ContextLength(string model, int? contextTokens = null) => new(400, "context_length_exceeded", InvalidRequest,
        (contextTokens is { } most
            ? string.Create(CultureInfo.InvariantCulture, $"The maximum context length of model '{model}' is {most} tokens, and the prompt is longer.")
            : $"The prompt is longer than the context of model '{model}'.")
        + " Shorten the messages or use a model with a longer context.")
    { Param = "messages" };

    public static ApiProblem UnknownModel(string model) => new(404, "model_not_found", InvalidRequest,
        $"The model '{model}' does not exist here. GET /v1/models lists the models that do.")
    { Param = "model" };

    public static ApiProblem UnknownResponse(string param = "response_id") => new(404, "response_not_found", InvalidRequest,
        "No replica is known to hold this response. It may have been made without store, by another gateway, or long ago. To go on from it, send the whole conversation again, without previous_response_id.")
    { Param = param };

    public static ApiProblem InternalError() => new(500, "internal_error", ServerError,
        "The gateway itself failed. Send the request again; the operator finds the cause in the gateway's log.");

    public static ApiProblem MissingKey() => new(401, "invalid_api_key", "authentication_error",
        "This gateway asks for an API key. Send it as 'Authorization: Bearer KEY', 'x-api-key' or 'api-key'.");

    public static ApiProblem WrongKey() => new(401, "invalid_api_key", "authentication_error",
        "The API key is not known here. Check it, or ask the operator for a new one.");

    public static ApiProblem OpsKeyNeeded() => new(401, "invalid_api_key", "authentication_error",
        "This path asks for an operator's key (access.opsKeys).");

    public static ApiProblem ModelNotAllowed(string model) => new(403, "model_not_allowed", "permission_error",
        $"This API key may not use the model '{model}'. GET /v1/models lists the models that it may use.")
    { Param = "model" };

    public static ApiProblem MediaNotAllowed() => new(403, "media_not_allowed", "permission_error",
        "A media address is a local file, or lies within the gateway's own network, or its host is in another script. Send the media itself, or an address that anybody can reach; write hosts of other scripts in their ASCII form (xn--).");

    /// <param name="what">Requests or tokens.</param>
    /// <param name="retryAfter">Until the request would pass.</param>
    public static ApiProblem RateLimited(string what, TimeSpan retryAfter) => new(429, "rate_limit_exceeded", RateLimit,
        $"The limit on {what} per minute of this API key is reached. Retry after the time in Retry-After.")
    { RetryAfter = retryAfter };

    public static ApiProblem TooManyAtOnce(TimeSpan retryAfter) => new(429, "concurrency_limit_exceeded", RateLimit,
        "This API key has as many requests running as it may. Retry when one of them has ended.")
    { RetryAfter = retryAfter };

    public static ApiProblem BudgetSpent(TimeSpan retryAfter) => new(429, "insufficient_quota", "insufficient_quota",
        "What is left of this API key's tokens for the day does not suffice for the request. They are renewed at midnight UTC.")
    { RetryAfter = retryAfter, IsFinal = true };

    /// <summary>The gateway's own memory for request bodies is given out.</summary>
    public static ApiProblem Overloaded() => new(503, "gateway_overloaded", ServerError,
        "The gateway holds as many request bodies as it may. Retry after the time in Retry-After.")
    { RetryAfter = TimeSpan.FromSeconds(1) };

    /// <summary>Whoever stands in front may have read another length than this gateway, and what follows as another request.</summary>
    public static ApiProblem AmbiguousLength() => new(400, "invalid_header", InvalidRequest,
        "The request has both a Content-Length and a Transfer-Encoding. Send one of them.")
    { Param = "Content-Length", EndsConnection = true };

    public static ApiProblem UnknownReplica() => new(404, "replica_not_found", InvalidRequest,
        "There is no replica with this id. GET /-/replicas lists them.");

    public static ApiProblem UnknownTenant() => new(404, "tenant_not_found", InvalidRequest,
        "There is no tenant of this name. Those that exist are named under access.tenants.")
    { Param = "tenant" };

    public static ApiProblem LoopbackOnly() => new(403, "loopback_only", "permission_error",
        "This endpoint changes the fleet and answers only to clients on the gateway's own machine. The operator opens it with access.opsKeys or listen.ops.");

    public static ApiProblem OtherSite() => new(403, "cross_site", "permission_error",
        "This endpoint changes the fleet and takes no request that a web page of another site has sent. Use the gateway's own page, or a client that is no browser.");

    /// <param name="method">As asked.</param>
    /// <param name="path">As asked, where it may be shown.</param>
    /// <param name="meant">A path that exists and was probably meant; null: none is near.</param>
    public static ApiProblem UnknownRoute(string method, string path, string? meant = null) => new(404, "unknown_url", InvalidRequest,
        $"Unknown request URL: {method} {path}. "
        + (meant is not null ? $"Did you mean {meant}? {(meant.Length > path.Length ? "The base URL ends with /v1." : "This client adds /v1 itself: leave it out of the base URL.")}"
            : path == "/" ? "The models are at /v1/models, the status page is at /ui/."
            : "Check the path; the routes of this gateway are those of the OpenAI and Anthropic APIs."));

    /// <param name="known">Paths of the routes that can be explained.</param>
    public static ApiProblem UnexplainedRoute(IEnumerable<string> known) => new(404, "unknown_url", InvalidRequest,
        $"?route= names no route whose requests can be explained. Known: {string.Join(", ", known)}.")
    { Param = "route" };

    public static ApiProblem WrongMethod(string method, string path, string allowed) => new(405, "method_not_allowed", InvalidRequest,
        $"{method} is not allowed on {path}. Use {allowed}.");

    public static ApiProblem BodyTooLarge(long limitBytes) => new(413, "request_too_large", InvalidRequest,
        $"The request body is larger than the limit of {limitBytes} bytes. Send less, or ask the operator to raise listen.maxBodyBytes.");

    public static ApiProblem UnreadableBody(int status) => new(status, "invalid_body", InvalidRequest,
        "The request body could not be read to its end. Send all that its headers announce, without long pauses.")
    { EndsConnection = true };

    public static ApiProblem UnsupportedMediaType(string wanted) => new(415, "unsupported_media_type", InvalidRequest,
        $"This route takes a body of type {wanted}. Set the Content-Type header accordingly.");

    public static ApiProblem BadHeader(string header, string expected) => new(400, "invalid_header", InvalidRequest,
        $"The header '{header}' must be {expected}.")
    { Param = header };

    /// <summary>How an ending counts: the client's mistakes and refusals never look like faults.</summary>
    public static RequestOutcome OutcomeOf(int status) => status switch
    {
        ClientClosedRequest => RequestOutcome.Canceled,
        429 or 503 or 529 => RequestOutcome.Refused,
        504 or >= 500 => RequestOutcome.Failed,
        >= 400 => RequestOutcome.ClientError,
        _ => RequestOutcome.Success,
    };
}
