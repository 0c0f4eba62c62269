using Gateway.Forwarding.Answers;
using Gateway.Requests;

namespace Gateway.Forwarding.Attempts;

/// <summary>How an attempt at a replica failed before the first byte went to the client.</summary>
public enum FailureKind
{
    /// <summary>No connection, or it broke before an answer.</summary>
    Unreachable,

    /// <summary>No answer within the time allowed.</summary>
    Timeout,

    /// <summary>No answer, and no other sign of life of the replica for longer than it may take.</summary>
    Hung,

    /// <summary>An answer that is none: not JSON where JSON is due, an error page, an error inside a 200.</summary>
    BrokenAnswer,

    /// <summary>The answer ended before its announced length.</summary>
    BodyIncomplete,

    /// <summary>The engine failed: 5xx.</summary>
    EngineError,

    /// <summary>The engine asked to be left alone: 429 or 503.</summary>
    EngineBusy,

    /// <summary>The engine refused for the client's own mistake.</summary>
    ClientFault,

    /// <summary>The engine did not accept the pool's key.</summary>
    Unauthorized,

    /// <summary>The engine has no such endpoint.</summary>
    EndpointMissing,

    /// <summary>The engine does not serve the model that the pool promises.</summary>
    ModelMissing,

    /// <summary>The client's own body could not be passed on to its end: too large, too slow, cut.</summary>
    ClientBody,

    /// <summary>The client left.</summary>
    ClientGone,

    /// <summary>The request's own deadline passed.</summary>
    DeadlineExceeded,

    /// <summary>The gateway stops, and the time for running answers is over.</summary>
    ShuttingDown,

    /// <summary>Its place went to a more urgent request before its answer began.</summary>
    Preempted,
}

/// <summary>A failed attempt as a value.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Status">The engine's status; 0 when none came.</param>
public sealed record AttemptFailure(FailureKind Kind, int Status = 0)
{
    /// <summary>The engine's own words, cleaned and bounded; null: none.</summary>
    public string? Message { get; init; }

    /// <summary>The engine's own code, where it is a word; null: none.</summary>
    public string? Code { get; init; }

    /// <summary>What was wrong with the client's own body; null: it could not be read, or was not at fault.</summary>
    public BodyProblem? BodyProblem { get; init; }

    /// <summary>The engine's own wish; null: none.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether there was never a connection, so that the engine cannot have begun.</summary>
    public bool IsUnsent { get; init; }

    /// <summary>Whether the prompt did not fit the engine's context.</summary>
    public bool IsContextLength { get; init; }

    /// <summary>A failure that the engine itself told.</summary>
    /// <param name="kind">What it means.</param>
    /// <param name="status">The engine's status; 0 inside a stream.</param>
    /// <param name="error">Its error.</param>
    public static AttemptFailure Of(FailureKind kind, int status, EngineErrorBody error) => new(kind, status)
    {
        Message = error.Message,
        Code = error.Word,
        IsContextLength = error.IsContextLength,
    };

    /// <summary>A failure that the engine told where an answer was due: whose fault it is, only the error says.</summary>
    public static AttemptFailure InAnswer(int status, EngineErrorBody error) =>
        Of(error.IsClientFault ? FailureKind.ClientFault : FailureKind.EngineError, status, error);

    /// <summary>Whether another attempt may help at all.</summary>
    public bool MayRetry => Kind is FailureKind.Unreachable or FailureKind.Hung or FailureKind.BrokenAnswer or FailureKind.BodyIncomplete
        or FailureKind.EngineError or FailureKind.EngineBusy or FailureKind.ModelMissing;

    /// <summary>Whether the replica itself is gone or hangs, so that the request was lost with it; not what a replica that answers had to say.</summary>
    public bool IsLoss => Kind is FailureKind.Unreachable or FailureKind.Hung or FailureKind.BodyIncomplete;

    /// <summary>Short name for metrics.</summary>
    public string Reason => Kind switch
    {
        FailureKind.Unreachable => "unreachable",
        FailureKind.Timeout => "timeout",
        FailureKind.Hung => "hung",
        FailureKind.BrokenAnswer => "broken_answer",
        FailureKind.BodyIncomplete => "body_incomplete",
        FailureKind.EngineError => "engine_error",
        FailureKind.EngineBusy => "engine_busy",
        FailureKind.ClientFault => "client_fault",
        FailureKind.Unauthorized => "unauthorized",
        FailureKind.EndpointMissing => "endpoint_missing",
        FailureKind.ModelMissing => "model_missing",
        FailureKind.ClientBody => "client_body",
        FailureKind.DeadlineExceeded => "deadline_exceeded",
        FailureKind.ShuttingDown => "shutting_down",
        FailureKind.Preempted => "preempted",
        _ => "client_gone",
    };
}
