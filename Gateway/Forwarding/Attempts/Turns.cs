using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>One request's turns at its dispatcher: where it was sent, why it came back, how long it waited, and what it is charged. Used by one request.</summary>
/// <remarks>Whatever the number of its turns, a request is charged for one answer.</remarks>
internal sealed class Turns(OutgoingRequest outgoing, Dispatcher dispatcher, UpstreamPool upstream)
{
    private readonly List<Replica> _tried = [];
    private readonly List<AttemptFailure> _retried = [];
    private ServedTokens _charged;

    /// <summary>Replicas that a further attempt avoids.</summary>
    public IReadOnlyList<Replica> Tried => _tried;

    /// <summary>Failures that were answered with another attempt.</summary>
    public IReadOnlyList<AttemptFailure> Retried => _retried;

    /// <summary>Time in the queue over all turns.</summary>
    public TimeSpan Waited { get; private set; }

    /// <summary>Takes a turn that has come: its wait counts, and its charge is the request's.</summary>
    public Attempt Take(in AdmissionResult admission)
    {
        _charged = admission.Charged;
        Waited += admission.Waited;
        return AttemptOf(admission);
    }

    /// <summary>Waits for another turn in place of the one before, which brought no answer.</summary>
    /// <returns>The attempt, or why there is none: without a turn, the failure before stands.</returns>
    public async ValueTask<(Attempt? Attempt, AttemptFailure? Failure)> EnterAgainAsync(Attempt failed, Constraints constraints, CancellationToken cancellationToken)
    {
        // Taken back before the room is: a fair order must not see the request as served when it looks who gets that room.
        Charge(default);
        failed.Leave();
        var admission = await dispatcher.EnterAsync(outgoing.Request, outgoing.Estimate, constraints, cancellationToken);
        return admission.Outcome == AdmissionOutcome.Admitted
            ? (Take(admission), null)
            : (null, EndOf(admission.Outcome) ?? _retried[^1] with { RetryAfter = admission.RetryAfter });
    }

    /// <summary>Why the request itself is over, where its wait for another turn ended with it; null: it only had no turn.</summary>
    public static AttemptFailure? EndOf(AdmissionOutcome outcome) => outcome switch
    {
        AdmissionOutcome.CanceledByClient => new AttemptFailure(FailureKind.ClientGone),
        AdmissionOutcome.DeadlineExceeded => new AttemptFailure(FailureKind.DeadlineExceeded),
        AdmissionOutcome.TimedOut => new AttemptFailure(FailureKind.Timeout),
        AdmissionOutcome.RejectedShuttingDown => new AttemptFailure(FailureKind.ShuttingDown),
        _ => null,
    };

    /// <summary>Waits for a turn that is not charged: the request's charge for its one answer stands.</summary>
    /// <param name="estimate">What the attempt is expected to cost.</param>
    /// <param name="constraints">Where it may go.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async ValueTask<AdmissionResult> EnterUnchargedAsync(RequestEstimate estimate, Constraints constraints, CancellationToken cancellationToken)
    {
        var admission = await dispatcher.EnterAsync(outgoing.Request, estimate, constraints, cancellationToken);
        if (admission.Reservation is not null)
        {
            dispatcher.Settle(outgoing.Request, admission.Charged, default);
        }
        return admission;
    }

    /// <summary>Makes an uncharged turn an attempt that goes on with an answer.</summary>
    public Attempt TakeUncharged(in AdmissionResult admission, Answer answer)
    {
        Waited += admission.Waited;
        return new Attempt(admission, answer);
    }

    /// <summary>An attempt at an answer of its own. Neither its wait nor a charge is counted.</summary>
    public Attempt AttemptOf(in AdmissionResult admission) => new(
        admission,
        new Answer(upstream.Pool.Name, outgoing.Estimate, upstream.TokenObserver(outgoing.Request, admission.Reservation!.Replica), upstream.Time)
        {
            Streamed = _charged == default ? null : OnStreamed,
        });

    /// <summary>An attempt goes to this replica.</summary>
    public void OnSending(Replica replica) => _tried.Add(replica);

    /// <summary>The replica did nothing wrong: a further attempt may go there.</summary>
    public void Forgive(Replica replica) => _tried.Remove(replica);

    /// <summary>A failure is answered with another attempt.</summary>
    public void OnRetry(AttemptFailure failure)
    {
        _retried.Add(failure);
        upstream.OnRetry(failure.Reason);
    }

    /// <summary>The request is over, and is charged for what it was served.</summary>
    public void Settle(Answer answer, AttemptFailure? failure)
    {
        // A failed engine produced nothing to charge for.
        var isFault = failure is not (null or { Kind: FailureKind.ClientGone });
        var prompt = answer.ReportedUsage is { PromptTokens: { } told, CachedTokens: { } cached } ? Math.Max(0, told - cached)
            : isFault ? 0
            : _charged.UncachedPromptTokens;
        Charge(new ServedTokens(prompt, isFault ? answer.OutputTokens : answer.ChargedTokens(outgoing.Request)));
    }

    // What was expected is charged already: only what goes beyond it is charged as it streams.
    private void OnStreamed(int tokens)
    {
        if (tokens > _charged.OutputTokens)
        {
            Charge(_charged with { OutputTokens = tokens });
        }
    }

    private void Charge(in ServedTokens served)
    {
        dispatcher.Settle(outgoing.Request, _charged, served);
        _charged = served;
    }
}
