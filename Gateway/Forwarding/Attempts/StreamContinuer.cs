using System.Net.Http;
using Gateway.Estimation;
using Gateway.Forwarding.Answers;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding.Attempts;

/// <summary>Finds who goes on with one request's stream that broke, or that gave up its place, after its first byte. Made where that may come about; used by one request.</summary>
/// <param name="outgoing">The request.</param>
/// <param name="upstream">Its pool.</param>
/// <param name="turns">Where a further attempt gets its place.</param>
/// <param name="sender">Sends it.</param>
/// <param name="aborted">The client's connection is gone.</param>
internal sealed class StreamContinuer(OutgoingRequest outgoing, UpstreamPool upstream, Turns turns, AttemptSender sender, CancellationToken aborted)
{
    // An answer that breaks this often will not come to its end.
    private const int MostBreaks = 3;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    // Timers may fire a little early: when this one does, the time is over by the clock as well.
    private static readonly TimeSpan Behind = TimeSpan.FromMilliseconds(10);

    private int _breaks;
    private bool _hasTried;

    /// <summary>Where the answer broke last before another attempt went on with it; null: it never did.</summary>
    public Replica? ContinuedFrom { get; private set; }

    /// <summary>Whether a stream has to stop after this text because its place was asked for, and can go on from there. One that cannot keeps its place.</summary>
    public bool MustStop(Attempt attempt, SentText sent)
    {
        if (!attempt.IsPreempted)
        {
            return false;
        }
        if (MissingOf(attempt, sent) is not null)
        {
            return true;
        }
        attempt.Seat!.Keep();
        return false;
    }

    /// <summary>Ends an attempt whose stream is over before its answer is, and finds another that goes on from the text that was sent, at the same replica where there is no other.</summary>
    /// <returns>Null: nobody goes on. The client learns of the break then.</returns>
    public async ValueTask<(Attempt Attempt, Continuation Continuation)?> ContinueAsync(Attempt stopped, SentText sent, CancellationToken clientGone)
    {
        var isPreempted = stopped.IsPreempted;
        stopped.Judge(isPreempted ? Verdict.Abandoned : Verdict.Fault);
        stopped.Leave();
        stopped.Stop();
        if (MissingOf(stopped, sent) is not { } missing)
        {
            upstream.OnStreamBroken("not_allowed");
            return null;
        }
        _breaks += isPreempted ? 0 : 1;
        using var tooLate = new CancellationTokenSource(outgoing.TimeLeft(upstream.Time) + Behind, upstream.Time);
        using var inVain = CancellationTokenSource.CreateLinkedTokenSource(aborted, clientGone, tooLate.Token);
        var place = isPreempted ? await ComeBackAsync(stopped, missing, inVain.Token) : null;
        var (next, outcome) = await SearchAsync(stopped, place, missing, clientGone, inVain.Token);
        if (next is not null || !(aborted.IsCancellationRequested || clientGone.IsCancellationRequested))
        {
            upstream.OnStreamBroken(outcome);
        }
        ContinuedFrom = next is null || isPreempted ? ContinuedFrom : stopped.Replica;
        return next;
    }

    private Missing? MissingOf(Attempt attempt, SentText sent)
    {
        if (_breaks >= MostBreaks || !sent.IsWhole || !sent.EndsInWholeCharacter)
        {
            return null;
        }
        var beginning = new AnswerBeginning(sent.Text, attempt.Answer.CountedTokens);
        if (beginning.Text.IsEmpty)
        {
            // A stream without text so far, such as one with only comments, can start again at any replica.
            return new Missing(sent, beginning, null);
        }
        var mayBegin = outgoing.Request.Route.Kind == ApiKind.Completions || attempt.Replica.Report.Engine is EngineKind.Vllm or EngineKind.SgLang;
        return mayBegin && ContinuedBody.Of(outgoing.Body.Memory.Span, outgoing.Request.Route, beginning) is { } body ? new Missing(sent, beginning, body) : null;
    }

    private async ValueTask<((Attempt, Continuation)? Next, string Outcome)> SearchAsync(
        Attempt stopped, Attempt? place, Missing missing, CancellationToken clientGone, CancellationToken inVain)
    {
        using var tooLong = new CancellationTokenSource(outgoing.Options.ContinueWithin, upstream.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(tooLong.Token, inVain);
        var ends = both.Token;
        var restarts = false;
        for (var pause = FirstPause; !ends.IsCancellationRequested; pause = pause * 2 < LongestPause ? pause * 2 : LongestPause)
        {
            var (attempt, failure) = place is null ? await PlaceAsync(stopped, missing, ends) : (place, null);
            if (attempt is not null)
            {
                // Its turn may have come in the moment in which its time ended.
                var isTooLate = outgoing.HasNoTimeLeft(upstream.Time);
                if (isTooLate || (place is null && !MayTry()))
                {
                    attempt.Abandon();
                    return (null, isTooLate ? "failed" : "no_budget");
                }
                place = null;
                (var continuation, failure) = await SendAsync(attempt, missing, restarts, clientGone);
                if (continuation is not null)
                {
                    return ((attempt, continuation), restarts ? "restarted" : "continued");
                }
            }
            var isRefused = failure is { Kind: FailureKind.ClientFault };
            if (isRefused && !restarts && missing.Body is not null)
            {
                // An engine that does not accept the beginning of an answer starts from scratch.
                restarts = true;
                continue;
            }
            if (!failure!.MayRetry)
            {
                return (null, isRefused ? "refused" : "failed");
            }
            await Task.Delay(pause, upstream.Time, ends).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        if (place is not null)
        {
            place.Abandon();
        }
        return (null, "failed");
    }

    // Its client notices only a pause, so the wait is bounded by the time of the whole request alone. Null: no turn came.
    private async ValueTask<Attempt?> ComeBackAsync(Attempt stopped, Missing missing, CancellationToken ends)
    {
        turns.OnRetry(new AttemptFailure(FailureKind.Preempted));
        var constraints = new Constraints([], outgoing.Pinned) { MayGiveUp = true, GaveUp = stopped.Seat };
        while (!ends.IsCancellationRequested)
        {
            var admission = await turns.EnterUnchargedAsync(missing.CostOf(outgoing.Estimate), constraints, ends);
            if (admission.Reservation is not null)
            {
                return turns.TakeUncharged(admission, stopped.Answer);
            }
            if (admission.Outcome != AdmissionOutcome.ExpiredInQueue)
            {
                return null;
            }
        }
        return null;
    }

    // A fleet without a replica now may have one in a moment.
    private async ValueTask<(Attempt? Attempt, AttemptFailure? Failure)> PlaceAsync(Attempt stopped, Missing missing, CancellationToken ends)
    {
        var admission = await turns.EnterUnchargedAsync(missing.CostOf(outgoing.Estimate), new Constraints(turns.Tried, outgoing.Pinned), ends);
        return admission.Outcome switch
        {
            AdmissionOutcome.Admitted => (turns.TakeUncharged(admission, stopped.Answer), null),
            AdmissionOutcome.RejectedTooLarge or AdmissionOutcome.RejectedHolderGone => (null, new AttemptFailure(FailureKind.ClientFault)),
            _ => (null, Turns.EndOf(admission.Outcome) ?? new AttemptFailure(FailureKind.EngineBusy)),
        };
    }

    // The first attempt to go on needs no retry budget: there are at most as many as streams were running, and each waits for its turn. Further ones could become a storm.
    private bool MayTry()
    {
        var isFirst = !_hasTried;
        _hasTried = true;
        return isFirst || upstream.Budget.TryTake();
    }

    private async ValueTask<(Continuation? Continuation, AttemptFailure? Failure)> SendAsync(Attempt attempt, Missing missing, bool restarts, CancellationToken clientGone)
    {
        turns.OnSending(attempt.Replica);
        HttpResponseMessage? response = null;
        AttemptFailure? failure;
        try
        {
            var clock = attempt.Start(upstream.Clock(outgoing, clientGone, attempt.Replica));
            response = await sender.SendAsync(attempt, restarts ? null : missing.Body);
            (var body, failure) = await new Reception(outgoing, upstream, attempt.Answer, attempt.Reservation, clock).ReceiveRestAsync(response);
            if (body is not null)
            {
                attempt.Seat?.TryBegin(mayContinue: true);
                return (new Continuation(response, body, attempt.Reservation, clock, missing.Frames(restarts)), null);
            }
        }
        catch (Exception broken) when (broken is OperationCanceledException or HttpRequestException or IOException)
        {
            failure = sender.FailureOf(broken, attempt, clientGone);
        }
        catch
        {
            // The exchange, which this ends, does not know of the attempt yet: its room would be lost with it.
            response?.Dispose();
            attempt.Abandon();
            attempt.Stop();
            throw;
        }
        response?.Dispose();
        outgoing.Attempts?.OnFailed(failure!);
        attempt.Judge(Verdict.On(failure!, outgoing, upstream));
        attempt.Leave();
        attempt.Stop();
        return (null, failure);
    }

    /// <summary>What the client lacks of an answer.</summary>
    /// <param name="Sent">What it has.</param>
    /// <param name="Beginning">The same as the next engine is told it.</param>
    /// <param name="Body">Asks for the rest alone; null: nothing of substance was sent, so that all of it is asked for again.</param>
    private sealed record Missing(SentText Sent, AnswerBeginning Beginning, ContinuedBody? Body)
    {
        public RequestEstimate CostOf(in RequestEstimate whole) => whole with
        {
            PromptTokens = whole.PromptTokens + Beginning.Tokens,
            Output = whole.Output.After(Beginning.Tokens),
        };

        // A restart must repeat the text that was sent, which stays here.
        public ContinuedFrames Frames(bool restarts) => restarts && SentText.TryUnescape(Sent.Text.Span, out var text)
            ? new ContinuedFrames(Sent.Head, 0, text)
            : new ContinuedFrames(Sent.Head, Beginning.Tokens, []);
    }
}
