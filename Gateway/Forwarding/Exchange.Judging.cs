using Gateway.Replicas;

namespace Gateway.Forwarding;

/// <content>What an attempt says about its replica.</content>
public sealed partial class Exchange
{
    // A word of the engine's own must not take it out for a day: after this it is asked again.
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
                // Until a probe finds the model there again.
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

    private static Verdict VerdictOn(AttemptFailure failure, bool hasOwnKey) => failure.Kind switch
    {
        FailureKind.ClientFault or FailureKind.EndpointMissing => Verdict.Success,
        // The client's own key came through: what it is worth says nothing about the replica.
        FailureKind.Unauthorized when !hasOwnKey => Verdict.Success,
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
