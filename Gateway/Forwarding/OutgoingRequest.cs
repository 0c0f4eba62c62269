using Gateway.Estimation;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>What one request needs to be forwarded.</summary>
/// <param name="Request">The request.</param>
/// <param name="Estimate">What it is expected to cost.</param>
/// <param name="Body">Its bytes.</param>
/// <param name="Options">Limits in force when it came.</param>
/// <param name="Pinned">The one replica that can answer; null: any.</param>
public sealed record OutgoingRequest(InferenceRequest Request, RequestEstimate Estimate, RequestBytes Body, ResilienceOptions Options, Replica? Pinned = null)
{
    /// <summary>What the caller's standing changes.</summary>
    public CallerTerms Terms { get; init; } = CallerTerms.Open;

    /// <summary>Whether another model is asked where this one fails.</summary>
    public bool HasFallback { get; init; }

    /// <summary>Whether another request under way has the same id.</summary>
    public bool SharesId { get; init; }

    /// <summary>Hears of each attempt; null: nobody does.</summary>
    public IAttemptObserver? Attempts { get; init; }

    /// <summary>Whether a request can be sent once more after it had to give up its place: from the start or from the text so far, by the same rules as after a failure.</summary>
    public static bool MayGiveUp(InferenceRequest request, RequestBytes body) => body.Rest is null && request.Body is { IsPinned: false, PreviousResponseKey: 0 };

    /// <summary>Whether the request's own deadline has passed.</summary>
    public bool HasPassedDeadline(TimeProvider time) => HasPassed(Request.Deadline, time);

    /// <summary>Whether the time that the request itself allows is over: its deadline, or its client's limit on all of it.</summary>
    public bool HasSpentItsTime(TimeProvider time) => HasPassedDeadline(time) || HasPassed(Request.TotalTimeout, time);

    /// <summary>Whether its own deadline ends it, and not its client's limit or the longest that the gateway allows.</summary>
    public bool EndsAtDeadline => Request.Deadline < TotalTimeout;

    /// <summary>What is left of all its time, from its arrival: its deadline, its client's limit and the longest that the gateway allows.</summary>
    public TimeSpan TimeLeft(TimeProvider time)
    {
        var most = EndsAtDeadline ? Request.Deadline!.Value : TotalTimeout;
        var left = Request.ArrivedAt is { } arrivedAt ? most - time.GetElapsedTime(arrivedAt) : most;
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    /// <summary>Whether all its time is over: nobody could answer it any more.</summary>
    public bool HasNoTimeLeft(TimeProvider time) => TimeLeft(time) == TimeSpan.Zero;

    /// <summary>What its client is told once its time is over.</summary>
    internal AttemptFailure OutOfTime(TimeProvider time) => new(HasPassedDeadline(time) ? FailureKind.DeadlineExceeded : FailureKind.Timeout);

    private TimeSpan TotalTimeout => Request.TotalTimeout < Options.TotalTimeout ? Request.TotalTimeout.Value : Options.TotalTimeout;

    private bool HasPassed(TimeSpan? limit, TimeProvider time) =>
        limit is { } most && Request.ArrivedAt is { } arrivedAt && time.GetElapsedTime(arrivedAt) >= most;
}
