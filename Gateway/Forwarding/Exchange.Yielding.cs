using Gateway.Forwarding.Answers;
using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <content>Giving the place at a replica to a more urgent request, and what the answer is charged.</content>
public sealed partial class Exchange
{
    private Seat? _seat;

    // Sent once more from the start, or from the text so far: by the same rules as after a failure.
    private bool MayGiveUp => MayComeBack(Request, _departure.Body);

    /// <summary>Whether a request could be sent once more after it had to give up its place.</summary>
    internal static bool MayComeBack(InferenceRequest request, RequestBytes body) => body.Rest is null && request.Body is { IsPinned: false, PreviousResponseKey: 0 };

    private void SettleCharge()
    {
        // A failed engine produced nothing to charge for.
        var prompt = Answer.ReportedUsage is { PromptTokens: { } told, CachedTokens: { } cached } ? Math.Max(0, told - cached)
            : Failure is null or { Kind: FailureKind.ClientGone } ? _charged.UncachedPromptTokens
            : 0;
        var served = new ServedTokens(prompt, Answer.OutputTokens);
        _dispatcher.Settle(Request, _charged, served);
        _charged = served;
    }

    // What was expected is charged already: only what goes beyond it is charged as it streams.
    private void OnStreamed(int tokens)
    {
        if (tokens > _charged.OutputTokens)
        {
            var served = _charged with { OutputTokens = tokens };
            _dispatcher.Settle(Request, _charged, served);
            _charged = served;
        }
    }

    private void LeavePlace()
    {
        // The room is returned first, so that the request that asked for the place gets it.
        Reservation.Dispose();
        _seat?.Leave();
    }

    /// <summary>Lets an answer begin, unless its place was asked for meanwhile: then the attempt counts as preempted.</summary>
    private AttemptResult Begun(in AttemptResult result)
    {
        if (_seat is not { } seat || result.Failure is { Kind: FailureKind.ClientGone or FailureKind.ClientFault })
        {
            return result;
        }
        // The attempt was stopped by the gateway: however it ended, it is no fault of the replica.
        var isTaken = result.Response is null ? seat.IsAsked : !seat.TryBegin(result.MayYield);
        if (!isTaken)
        {
            return result;
        }
        result.Response?.Dispose();
        return Failed(new AttemptFailure(FailureKind.Preempted));
    }

    /// <summary>Waits for another turn where the request stood before; null: it has one.</summary>
    private ValueTask<AttemptFailure?> ComeBackAsync(AttemptFailure preempted, CancellationToken cancellationToken)
    {
        NoteRetry(preempted);
        // The replica did nothing wrong.
        _tried.Remove(Reservation.Replica);
        return EnterAgainAsync(new Constraints(_tried, _departure.Pinned) { MayGiveUp = true, GaveUp = _seat }, cancellationToken);
    }

    /// <summary>Whether a stream has to stop here, and can.</summary>
    private bool MustYield(SentText sent)
    {
        if (_seat is not { IsAsked: true } seat)
        {
            return false;
        }
        if (_continuations < MostContinuations && CanGoOn(sent, out _, out _))
        {
            return true;
        }
        seat.Keep();
        return false;
    }

    /// <summary>Waits for the turn in which a stream that gave up its place goes on. Its client notices only a pause, so the wait is bounded by the time of the whole request alone.</summary>
    /// <returns>Whether it has one.</returns>
    private async ValueTask<bool> ComeBackAsync(Estimation.RequestEstimate rest, CancellationToken ends)
    {
        var gaveUp = _seat;
        NoteRetry(new AttemptFailure(FailureKind.Preempted));
        while (!ends.IsCancellationRequested)
        {
            var admission = await _dispatcher.EnterAsync(Request, rest, new Constraints([], _departure.Pinned) { MayGiveUp = true, GaveUp = gaveUp }, ends);
            if (admission.Reservation is not null)
            {
                // The client asked for one answer: computing its beginning again is not charged.
                _dispatcher.Settle(Request, admission.Charged, default);
                Admit(admission with { Charged = _charged });
                return true;
            }
            if (admission.Outcome != AdmissionOutcome.ExpiredInQueue)
            {
                return false;
            }
        }
        return false;
    }
}
