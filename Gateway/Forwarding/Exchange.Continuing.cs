using System.Net.Http;
using Gateway.Estimation;
using Gateway.Forwarding.Answers;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

public sealed partial class Exchange
{
    // An answer that breaks this often will not come to its end.
    private const int MostContinuations = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private int _continuations;
    private bool _hasGoneOn;
    private Replica? _brokeAt;

    /// <summary>Who gave the answer; of a stream that nobody went on with, the replica where it broke.</summary>
    public Replica Answerer => _brokeAt ?? Reservation.Replica;

    /// <summary>Where the answer broke last before another attempt went on with it; null: it never did.</summary>
    public Replica? ContinuedFrom { get; private set; }

    /// <summary>The stream broke after its first byte: finds a replica that goes on from the text that was sent, this one where there is no other.</summary>
    /// <returns>Null: nobody goes on. The client learns of the break then.</returns>
    private async ValueTask<Continuation?> ContinueAsync(SentText sent, CancellationToken cancellationToken)
    {
        if (HasPassedDeadline || _http.RequestAborted.IsCancellationRequested)
        {
            return null;
        }
        var (yields, brokeAt) = (_seat is { IsAsked: true }, Reservation.Replica);
        Judge(yields ? Verdict.Abandoned : Verdict.Fault);
        LeavePlace();
        if (_continuations >= MostContinuations || !CanGoOn(sent, out var beginning, out var rest))
        {
            _upstream.OnStreamBroken("not_allowed");
            return null;
        }
        _continuations += yields ? 0 : 1;
        var (next, outcome) = await SearchAsync(sent, beginning, rest, yields, cancellationToken);
        if (next is not null || !_http.RequestAborted.IsCancellationRequested)
        {
            _upstream.OnStreamBroken(outcome);
        }
        if (next is null)
        {
            // Reported is the replica where the stream broke, not those where going on was tried in vain.
            _brokeAt = brokeAt;
        }
        else if (!yields)
        {
            ContinuedFrom = brokeAt;
        }
        return next;
    }

    private bool CanGoOn(SentText sent, out AnswerBeginning beginning, out ContinuedBody? rest)
    {
        beginning = new AnswerBeginning(sent.Text, Answer.CountedTokens);
        rest = beginning.Text.IsEmpty ? null : ContinuedBody.Of(_departure.Body.Memory.Span, Request.Route, beginning);
        // A stream without text so far, such as one with only comments, can start again at any replica.
        return sent.IsWhole && sent.EndsInWholeCharacter && (beginning.Text.IsEmpty
            || (rest is not null && (Request.Route.Kind == ApiKind.Completions || Reservation.Replica.Report.Engine is EngineKind.Vllm or EngineKind.SgLang)));
    }

    private async ValueTask<(Continuation? Next, string Outcome)> SearchAsync(
        SentText sent, AnswerBeginning beginning, ContinuedBody? rest, bool yields, CancellationToken clientGone)
    {
        var estimate = Estimate with
        {
            PromptTokens = Estimate.PromptTokens + beginning.Tokens,
            Output = Estimate.Output.After(beginning.Tokens),
        };
        using var whole = CancellationTokenSource.CreateLinkedTokenSource(_http.RequestAborted, clientGone);
        var isPlaced = yields && await ComeBackAsync(estimate, whole.Token);
        using var search = new CancellationTokenSource(_departure.Options.ContinueWithin, _time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(search.Token, whole.Token);
        var ends = both.Token;
        var restarts = false;
        for (var pause = FirstPause; !ends.IsCancellationRequested; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var failure = isPlaced ? null : await TryPlaceAsync(estimate, ends);
            if (failure is null && !isPlaced && !MayGoOn())
            {
                Judge(Verdict.Abandoned);
                LeavePlace();
                return (null, "no_budget");
            }
            isPlaced = false;
            if (failure is null)
            {
                // An engine that does not accept the beginning of an answer starts from scratch; its text must then repeat what was sent.
                var frames = restarts && SentText.TryUnescape(sent.Text.Span, out var text)
                    ? new ContinuedFrames(sent.Head, 0, text)
                    : new ContinuedFrames(sent.Head, beginning.Tokens, []);
                (var next, failure) = await AttemptToContinueAsync(restarts ? null : rest, frames, clientGone);
                if (next is not null)
                {
                    return (next, restarts ? "restarted" : "continued");
                }
            }
            if (failure is { Kind: FailureKind.ClientFault } && !restarts && rest is not null)
            {
                restarts = true;
                continue;
            }
            if (!failure!.MayRetry)
            {
                return (null, failure is { Kind: FailureKind.ClientFault } ? "refused" : "failed");
            }
            await Task.Delay(pause, _time, ends).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return (null, "failed");
    }

    // Null: there is room. A fleet without a replica now may have one in a moment.
    private async ValueTask<AttemptFailure?> TryPlaceAsync(RequestEstimate estimate, CancellationToken ends)
    {
        var admission = await _dispatcher.EnterAsync(Request, estimate, new Constraints(_tried, _departure.Pinned), ends);
        if (admission.Reservation is null)
        {
            return admission.Outcome switch
            {
                AdmissionOutcome.RejectedNoReplica or AdmissionOutcome.RejectedQueueFull or AdmissionOutcome.ExpiredInQueue => new AttemptFailure(FailureKind.EngineBusy),
                AdmissionOutcome.DeadlineExceeded => new AttemptFailure(FailureKind.DeadlineExceeded),
                AdmissionOutcome.RejectedShuttingDown => new AttemptFailure(FailureKind.ShuttingDown),
                AdmissionOutcome.RejectedTooLarge or AdmissionOutcome.RejectedHolderGone => new AttemptFailure(FailureKind.ClientFault),
                _ => new AttemptFailure(FailureKind.ClientGone),
            };
        }
        _dispatcher.Settle(Request, admission.Charged, default);
        Admit(admission with { Charged = _charged });
        return null;
    }

    // The first attempt to go on needs no retry budget: there are at most as many as streams were running, and each waits for its turn. Further ones could become a storm.
    private bool MayGoOn()
    {
        var isFirst = !_hasGoneOn;
        _hasGoneOn = true;
        return isFirst || _upstream.Budget.TryTake();
    }

    private async ValueTask<(Continuation? Next, AttemptFailure? Failure)> AttemptToContinueAsync(ContinuedBody? rest, ContinuedFrames frames, CancellationToken clientGone)
    {
        _tried.Add(Reservation.Replica);
        _clock?.Dispose();
        _clock = _upstream.Clock(_departure, clientGone, Reservation.Replica);
        HttpResponseMessage? response = null;
        AttemptFailure? failure;
        try
        {
            var message = UpstreamMessage.Create(_http, _departure, _upstream, Reservation.Replica, Interlocked.Increment(ref _sent), _enginePriority, fault => _bodyFault = fault, rest);
            Attempts?.OnSending(message, Reservation.Replica);
            response = await base.SendAsync(message, _clock.Token);
            (var body, failure) = await new Reception(_departure, _upstream, Answer, Reservation, _clock).ReceiveRestAsync(response);
            if (body is not null)
            {
                _seat?.TryBegin(mayYield: true);
                return (new Continuation(response, body, Reservation, _clock, frames), null);
            }
        }
        catch (Exception broken) when (broken is OperationCanceledException or HttpRequestException or IOException)
        {
            failure = FailureOf(broken, _clock, clientGone);
        }
        response?.Dispose();
        Attempts?.OnFailed(failure!);
        Judge(VerdictOn(failure!), failure!.RetryAfter);
        LeavePlace();
        return (null, failure);
    }
}
