using System.Diagnostics;
using Gateway.Estimation;
using Gateway.Requests;

namespace Gateway.Learning;

/// <summary>How a request ended, as counted and logged.</summary>
public enum RequestOutcome
{
    /// <summary>A whole answer was delivered.</summary>
    Success,

    /// <summary>The client's mistake: 4xx other than 429.</summary>
    ClientError,

    /// <summary>Refused for lack of room: 429, or 503 without a replica.</summary>
    Refused,

    /// <summary>The engine or the gateway failed.</summary>
    Failed,

    /// <summary>The client left.</summary>
    Canceled,
}

/// <summary>Token counts as the engine reported them; null: not reported.</summary>
public sealed record TokenUsage(int? PromptTokens, int? OutputTokens, int? CachedTokens, int? ReasoningTokens);

/// <summary>A request at its end: what was asked, believed and measured. The one value that metrics, logs and learning read.</summary>
public sealed record CompletedRequest
{
    /// <summary>Null where the request could not be understood.</summary>
    public InferenceRequest? Request { get; init; }

    public required ApiRoute Route { get; init; }

    public required string RequestId { get; init; }

    /// <summary>The trace that it belongs to; the default where nobody named one.</summary>
    public ActivityTraceId TraceId { get; init; }

    /// <summary>The pool's name; null where the model is unknown.</summary>
    public string? Model { get; init; }

    /// <summary>The replica that answered last, or where a stream broke that nobody went on with; null where none was chosen.</summary>
    public string? ReplicaId { get; init; }

    public RequestEstimate? Estimate { get; init; }

    /// <summary>The tenant as it may be shown: its name or its hash; null where that is off, or there is none.</summary>
    public string? Tenant { get; init; }

    /// <summary>Whether it asked for a more urgent class than its tenant may use.</summary>
    public bool IsPriorityLowered { get; init; }

    public required RequestOutcome Outcome { get; init; }

    /// <summary>Error code, such as <c>queue_full</c>; null on success.</summary>
    public string? ErrorCode { get; init; }

    /// <summary>Status as sent to the client; 499 when it left before one was sent.</summary>
    public required int StatusCode { get; init; }

    /// <summary>Arrival, as wall-clock time for the log.</summary>
    public DateTimeOffset ArrivedAt { get; init; }

    public TimeSpan Duration { get; init; }

    /// <summary>Time spent waiting for a turn, over all attempts.</summary>
    public TimeSpan QueueWait { get; init; }

    /// <summary>Why it waited, one of the words of <c>gateway_hold_seconds</c>; null: it did not.</summary>
    public string? HeldFor { get; init; }

    /// <summary>What decided for the replica, one of the words of <c>gateway_routing_decisions_total</c>; null: none was chosen.</summary>
    public string? PlacedBy { get; init; }

    /// <summary>Time the gateway itself added before the request was sent, waiting for a turn not counted.</summary>
    public TimeSpan Overhead { get; init; }

    /// <summary>Arrival to the first token, or first byte of a whole answer; null: none came.</summary>
    public TimeSpan? TimeToFirstToken { get; init; }

    /// <summary>Time from the first to the last token of a stream; null: none or one token.</summary>
    public TimeSpan? StreamDuration { get; init; }

    public TokenUsage? Usage { get; init; }

    /// <summary>Output tokens: reported, else counted from the stream.</summary>
    public int OutputTokens { get; init; }

    /// <summary>Prompt tokens that the prefix index believed cached at the chosen replica.</summary>
    public int PrefixHitTokens { get; init; }

    /// <summary>Whether the answer was cut: limit reached or client gone. Its length is then only a lower bound.</summary>
    public bool IsCensored { get; init; }

    public int Retries { get; init; }

    /// <summary>How often another attempt went on with a stream that had begun.</summary>
    public int Continuations { get; init; }

    /// <summary>The replica where such a stream broke last; null: none did.</summary>
    public string? ContinuedFrom { get; init; }

    /// <summary>Frames of the stream that were dropped because they were no valid JSON.</summary>
    public int MalformedFrames { get; init; }
}

/// <summary>Hears of every request's end, on the thread of the request: quick, and never throws.</summary>
public interface ICompletionObserver
{
    void OnCompleted(CompletedRequest completed);
}
