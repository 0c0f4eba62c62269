using System.Net;
using System.Net.Http;
using Gateway.Estimation;
using Gateway.Forwarding.Answers;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Polly;

namespace Gateway.Forwarding.Attempts;

/// <summary>One request's conversation with its pool: attempts at one replica after another until the first byte, then the answer going by. Used by one request.</summary>
/// <remarks>YARP's forwarder sees it as the connection: it copies what this returns to the client. Retries happen inside, where nothing was sent yet.</remarks>
public sealed class Exchange : HttpMessageInvoker
{
    private readonly OutgoingRequest _outgoing;
    private readonly CancellationToken _aborted;
    private readonly UpstreamPool _upstream;
    private readonly Turns _turns;
    private readonly AttemptSender _sender;
    private Attempt _attempt;
    private StreamContinuer? _continuer;

    // With heartbeats, a stream is read on while somebody is looked for who goes on with it.
    private Task<Continuation?>? _search;
    private CancellationTokenSource? _readerGone;

    internal Exchange(OutgoingRequest outgoing, HttpContext http, Dispatcher dispatcher, UpstreamPool upstream, in AdmissionResult admission)
        : base(upstream.Handler, disposeHandler: false)
    {
        _outgoing = outgoing;
        _aborted = http.RequestAborted;
        _upstream = upstream;
        _turns = new Turns(outgoing, dispatcher, upstream);
        _sender = new AttemptSender(outgoing, http, upstream);
        _attempt = _turns.Take(admission);
    }

    public InferenceRequest Request => _outgoing.Request;

    public RequestEstimate Estimate => _outgoing.Estimate;

    /// <summary>The reservation of the last attempt; of a stream that nobody went on with, of the one where it broke.</summary>
    public LoadReservation Reservation => _attempt.Reservation;

    /// <summary>Time in the queue over all attempts.</summary>
    public TimeSpan QueueWait => _turns.Waited;

    public int PrefixHitTokens => _attempt.PrefixHitTokens;

    /// <summary>How long before the last attempt the replica was sent the part of the prompt that is believed to be cached there.</summary>
    public TimeSpan PrefixHitAge => _attempt.PrefixHitAge;

    /// <summary>What went by of the last attempt's answer.</summary>
    public Answer Answer => _attempt.Answer;

    /// <summary>When the first attempt was sent; null: none was.</summary>
    public long? SentAt => _sender.SentAt;

    /// <summary>Failures that were answered with another attempt.</summary>
    public int Retries => _turns.Retried.Count;

    /// <summary>Where the answer broke last before another attempt went on with it; null: it never did.</summary>
    public Replica? ContinuedFrom => _continuer?.ContinuedFrom;

    /// <summary>Why the last attempt failed; null while none did or one succeeded.</summary>
    public AttemptFailure? Failure { get; private set; }

    /// <summary>Whether the answer, or a part of it, went to the client; an answer that could not be passed on does not count.</summary>
    public bool HasPassed { get; private set; }

    internal bool IsEventStream { get; private set; }

    /// <summary>Called when an answer is about to go to the client, before that sees a byte of it, and again before it sees the end of a stream.</summary>
    public Action<Exchange>? Answering { get; init; }

    /// <summary>Runs the attempts. Never throws for a failed one: the failure is a value, the response then a placeholder.</summary>
    public override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        _upstream.Budget.OnRequest();
        var result = await AttemptAsync(cancellationToken);
        // Polly throws where its token is already cancelled. After the client left there is no retry anyway, and the failure is returned like any other.
        if (result.Failure is not null && !cancellationToken.IsCancellationRequested)
        {
            result = await RetryAsync(result, cancellationToken);
        }
        Failure = result.Failure;
        IsEventStream = result.IsEventStream;
        return result.Response ?? new HttpResponseMessage(HttpStatusCode.BadGateway);
    }

    /// <summary>The answer goes to the client from here on.</summary>
    internal void Pass()
    {
        HasPassed = true;
        Answering?.Invoke(this);
    }

    /// <summary>Nobody reads the answer any more: ends the search for somebody who goes on with it, if one is under way. Due before <see cref="Finish"/>.</summary>
    public async ValueTask StopSearchAsync()
    {
        if (_search is { IsCompleted: false } search)
        {
            await _readerGone!.CancelAsync();
            await ((Task)search).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>The exchange is over: the replica's health takes its lesson and the room is returned.</summary>
    /// <param name="clientLeft">Whether the client was gone before the end.</param>
    public void Finish(bool clientLeft)
    {
        _attempt.Judge(Verdict.OnEnd(Answer, HasNoTimeLeft || _attempt.Clock is { IsShutDown: true }, clientLeft));
        _attempt.Stop();
        if (Answer is { IsComplete: true, IsBroken: false })
        {
            Answer.Teach(Reservation);
        }
        _attempt.Leave();
        _turns.Settle(Answer, Failure);
        if (!clientLeft && HasBrokenForGood)
        {
            _upstream.OnStreamBroken("not_allowed");
        }
    }

    // A search that found nobody is counted already; one that found somebody was of an earlier break.
    private bool HasBrokenForGood => _search is null or { IsCompletedSuccessfully: true, Result: not null } && _outgoing.Options.ContinueStreams && HasPassed && IsEventStream
        && Answer is { IsBroken: true, IsCutByStop: false } && !HasNoTimeLeft;

    protected override void Dispose(bool disposing)
    {
        _readerGone?.Dispose();
        base.Dispose(disposing);
    }

    internal bool ShouldRetry(in AttemptResult result) => !_aborted.IsCancellationRequested && RetryRule.Allows(result, _outgoing, _turns, _upstream);

    internal void NoteRetry(AttemptFailure failure) => _turns.OnRetry(failure);

    private bool HasNoTimeLeft => _outgoing.HasNoTimeLeft(_upstream.Time);

    // Nearly all requests succeed at once and never enter the pipeline: it starts with the failed attempt as its first result.
    private async ValueTask<AttemptResult> RetryAsync(AttemptResult failed, CancellationToken cancellationToken)
    {
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        AttemptResult? first = failed;
        try
        {
            return await _upstream.Retries.ExecuteAsync(
                context =>
                {
                    var known = first;
                    first = null;
                    return known is { } result ? ValueTask.FromResult(result) : AttemptAgainAsync(context.CancellationToken);
                },
                context);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    // A retry is a new choice with a new reservation.
    private async ValueTask<AttemptResult> AttemptAgainAsync(CancellationToken cancellationToken)
    {
        var mayGiveUp = OutgoingRequest.MayGiveUp(Request, _outgoing.Body);
        var constraints = new Constraints(_turns.Tried, _outgoing.Pinned) { HasFallback = _outgoing.HasFallback, MayGiveUp = mayGiveUp };
        return await TurnedAwayAsync(constraints, cancellationToken) ?? await AttemptAsync(cancellationToken);
    }

    /// <summary>Runs one attempt, and another each time that it has to give up its place before its answer begins.</summary>
    private async ValueTask<AttemptResult> AttemptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await SendOnceAsync(cancellationToken);
            if (result.Failure is not { Kind: FailureKind.Preempted } preempted)
            {
                return result;
            }
            _turns.OnRetry(preempted);
            _turns.Forgive(_attempt.Replica);
            var constraints = new Constraints(_turns.Tried, _outgoing.Pinned) { MayGiveUp = true, GaveUp = _attempt.Seat };
            if (await TurnedAwayAsync(constraints, cancellationToken) is { } last)
            {
                return last;
            }
        }
    }

    // Null: there is another turn.
    private async ValueTask<AttemptResult?> TurnedAwayAsync(Constraints constraints, CancellationToken cancellationToken)
    {
        if (HasNoTimeLeft)
        {
            return OutOfTime();
        }
        var (next, refusal) = await _turns.EnterAgainAsync(_attempt, constraints, cancellationToken);
        _attempt = next ?? _attempt;
        if (next is not null && HasNoTimeLeft)
        {
            next.Abandon();
            return OutOfTime();
        }
        return next is null ? new AttemptResult(this, _attempt, null, refusal) { IsTurnedAway = true } : null;
    }

    private AttemptResult OutOfTime() => new(this, _attempt, null, _outgoing.OutOfTime(_upstream.Time)) { IsTurnedAway = true };

    private async ValueTask<AttemptResult> SendOnceAsync(CancellationToken cancellationToken)
    {
        _turns.OnSending(_attempt.Replica);
        var clock = _attempt.Start(_upstream.Clock(_outgoing, cancellationToken, _attempt.Replica));
        _attempt.Seat?.OnAsked(clock.CancelSoon);
        var result = Hedge.IsFor(_outgoing)
            ? await new Hedge(_outgoing, _upstream, _turns, RunAsync).RunAsync(_attempt, cancellationToken)
            : await RunAsync(_attempt, cancellationToken);
        _attempt = result.Attempt;
        if (!_attempt.TryBegin(result))
        {
            result.Response?.Dispose();
            result = new AttemptResult(this, _attempt, null, new AttemptFailure(FailureKind.Preempted));
        }
        if (result.Failure is { } failure)
        {
            _outgoing.Attempts?.OnFailed(failure);
            _attempt.Judge(Verdict.On(failure, _outgoing, _upstream));
            _attempt.Stop();
        }
        return result;
    }

    private async Task<AttemptResult> RunAsync(Attempt attempt, CancellationToken cancellationToken)
    {
        try
        {
            return await ReceiveAsync(await _sender.SendAsync(attempt), attempt, cancellationToken);
        }
        catch (Exception broken) when (broken is OperationCanceledException or HttpRequestException or IOException)
        {
            return new AttemptResult(this, attempt, null, _sender.FailureOf(broken, attempt, cancellationToken));
        }
    }

    private async ValueTask<AttemptResult> ReceiveAsync(HttpResponseMessage response, Attempt attempt, CancellationToken cancellationToken)
    {
        var reception = new Reception(_outgoing, _upstream, attempt.Answer, attempt.Reservation, attempt.Clock!, ContinueAsync)
        {
            MustStop = MustStop,
            Completed = () => Answering?.Invoke(this),
        };
        try
        {
            var (received, failure) = await reception.ReceiveAsync(response, cancellationToken);
            return new AttemptResult(this, attempt, received, failure) { IsEventStream = reception.IsEventStream, MayContinue = reception.MayContinue };
        }
        catch
        {
            // The client left or a limit passed while the answer was read: dispose now, so that its connection is not held until a garbage collection.
            response.Dispose();
            throw;
        }
    }

    private StreamContinuer Continuer => _continuer ??= new StreamContinuer(_outgoing, _upstream, _turns, _sender, _aborted);

    private bool MustStop(SentText sent) => _attempt.IsPreempted && Continuer.MustStop(_attempt, sent);

    private Task<Continuation?> ContinueAsync(SentText sent, CancellationToken cancellationToken)
    {
        _readerGone ??= CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var search = SearchAsync(sent, _readerGone.Token);
        _search = search;
        return search;
    }

    private async Task<Continuation?> SearchAsync(SentText sent, CancellationToken readerGone)
    {
        if (HasNoTimeLeft || _aborted.IsCancellationRequested || await Continuer.ContinueAsync(_attempt, sent, readerGone) is not { } next)
        {
            return null;
        }
        _attempt = next.Attempt;
        return next.Continuation;
    }
}
