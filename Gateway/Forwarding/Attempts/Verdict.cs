using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>What an attempt may say about its replica.</summary>
internal enum VerdictKind
{
    /// <summary>Nothing: it ended for another's reason.</summary>
    Abandoned,

    /// <summary>The replica did its part, whatever became of the request.</summary>
    Success,

    /// <summary>The replica failed.</summary>
    Fault,

    /// <summary>It does not serve the model that the pool promises.</summary>
    WrongModel,

    /// <summary>It asked to be left alone.</summary>
    Busy,
}

/// <summary>What an attempt says about its replica.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Backoff">How long a busy replica is left alone.</param>
internal readonly record struct Verdict(VerdictKind Kind, TimeSpan Backoff = default)
{
    public static readonly Verdict Abandoned = new(VerdictKind.Abandoned);
    public static readonly Verdict Fault = new(VerdictKind.Fault);
    public static readonly Verdict Success = new(VerdictKind.Success);

    // Bound on the engine's own Retry-After, so that a wrong one does not take the replica out for a day.
    private static readonly TimeSpan LongestBackoff = TimeSpan.FromMinutes(1);

    /// <summary>The verdict on an attempt that brought no answer.</summary>
    public static Verdict On(AttemptFailure failure, OutgoingRequest outgoing, UpstreamPool upstream) => failure.Kind switch
    {
        FailureKind.ClientFault or FailureKind.EndpointMissing => Success,
        // The key was the client's own: that the engine refused it says nothing about the replica.
        FailureKind.Unauthorized when upstream.ApiKey is null => Success,
        FailureKind.EngineBusy => new(VerdictKind.Busy, failure.RetryAfter is not { } asked ? outgoing.Options.Backoff : asked < LongestBackoff ? asked : LongestBackoff),
        FailureKind.ModelMissing => new(VerdictKind.WrongModel),
        FailureKind.ClientBody or FailureKind.ClientGone or FailureKind.DeadlineExceeded or FailureKind.ShuttingDown or FailureKind.Preempted => Abandoned,
        // A client that waits for moments only must not get replicas suspended.
        FailureKind.Timeout when outgoing.HasSpentItsTime(upstream.Time) => Abandoned,
        _ => Fault,
    };

    /// <summary>The verdict on an answer that went by.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="isOutOfTime">Whether the end of its time or the gateway's stop cut it: that says nothing about the replica.</param>
    /// <param name="clientLeft">Whether the client was gone before the end.</param>
    public static Verdict OnEnd(Answer answer, bool isOutOfTime, bool clientLeft) =>
        answer.IsBroken ? (isOutOfTime ? Abandoned : Fault)
        : answer.IsComplete ? Success
        : clientLeft ? Abandoned
        : Fault;

    public void TellTo(Replica replica)
    {
        switch (Kind)
        {
            case VerdictKind.Success:
                replica.OnSuccess();
                break;
            case VerdictKind.Fault:
                replica.OnFault();
                break;
            case VerdictKind.WrongModel:
                // The replica gets no work until a probe finds the model again.
                replica.OnAbandoned();
                replica.OnProbed(ReplicaHealth.WrongModel, "a request was told that it does not know the model");
                break;
            case VerdictKind.Busy:
                replica.OnAbandoned();
                replica.BackOff(Backoff);
                break;
            default:
                replica.OnAbandoned();
                break;
        }
    }
}
