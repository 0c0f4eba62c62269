using Gateway.Replicas;

namespace Gateway.Forwarding;

/// <content>What an attempt says about its replica.</content>
public sealed partial class Exchange
{
    // Bound on the engine's own Retry-After, so that a wrong one does not take the replica out for a day.
    private static readonly TimeSpan LongestBackOff = TimeSpan.FromMinutes(1);

    private void Judge(Verdict verdict, TimeSpan? retryAfter = null)
    {
        _isJudged = true;
        Judge(Reservation.Replica, verdict, retryAfter);
    }

    private void Judge(Replica replica, Verdict verdict, TimeSpan? retryAfter)
    {
        switch (verdict)
        {
            case Verdict.Success:
                replica.OnSuccess();
                break;
            case Verdict.Fault:
                replica.OnFault();
                break;
            case Verdict.WrongModel:
                // The replica gets no work until a probe finds the model again.
                replica.OnAbandoned();
                replica.OnProbed(ReplicaHealth.WrongModel, "a request was told that it does not know the model");
                break;
            case Verdict.Busy:
                replica.OnAbandoned();
                replica.BackOff(retryAfter is not { } asked ? _departure.Options.Backoff : asked < LongestBackOff ? asked : LongestBackOff);
                break;
            default:
                replica.OnAbandoned();
                break;
        }
    }

    // A stream that broke because time was up says nothing about the replica.
    private Verdict VerdictOnEnd(bool clientLeft) =>
        Answer.IsBroken ? (HasPassedDeadline || _clock is { IsShutDown: true } ? Verdict.Abandoned : Verdict.Fault)
        : Answer.IsComplete ? Verdict.Success
        : clientLeft ? Verdict.Abandoned
        : Verdict.Fault;

    private Verdict VerdictOn(AttemptFailure failure) => failure.Kind switch
    {
        FailureKind.ClientFault or FailureKind.EndpointMissing => Verdict.Success,
        // The key was the client's own: that the engine refused it says nothing about the replica.
        FailureKind.Unauthorized when _upstream.ApiKey is null => Verdict.Success,
        FailureKind.EngineBusy => Verdict.Busy,
        FailureKind.ModelMissing => Verdict.WrongModel,
        FailureKind.ClientBody or FailureKind.ClientGone or FailureKind.DeadlineExceeded or FailureKind.ShuttingDown or FailureKind.Preempted => Verdict.Abandoned,
        _ => Verdict.Fault,
    };

    private enum Verdict
    {
        Success,
        Fault,
        WrongModel,
        Busy,
        Abandoned,
    }
}
