using System.Net.Http;
using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;
using Microsoft.AspNetCore.Http;
using Polly;

namespace Gateway.Forwarding;

/// <summary>What an attempt came to: an answer for the client, or a failure.</summary>
/// <param name="Exchange">Whose attempt it was.</param>
/// <param name="Response">Null when it failed.</param>
/// <param name="Failure">Null when it did not.</param>
internal readonly record struct AttemptResult(Exchange Exchange, HttpResponseMessage? Response, AttemptFailure? Failure)
{
    /// <summary>Whether the answer is an event stream.</summary>
    public bool IsEventStream { get; init; }

    /// <summary>Whether it could be stopped and continued elsewhere.</summary>
    public bool MayYield { get; init; }
}

/// <summary>What one request needs to be forwarded.</summary>
/// <param name="Request">The request.</param>
/// <param name="Estimate">What it is expected to cost.</param>
/// <param name="Body">Its bytes.</param>
/// <param name="Options">Limits in force when it came.</param>
/// <param name="Pinned">The one replica that can answer; null: any.</param>
public sealed record Departure(InferenceRequest Request, RequestEstimate Estimate, RequestBytes Body, ResilienceOptions Options, Replica? Pinned = null)
{
    /// <summary>What the caller's standing changes.</summary>
    public CallerTerms Terms { get; init; } = CallerTerms.Open;

    /// <summary>Whether another model is asked where this one fails.</summary>
    public bool HasFallback { get; init; }

    /// <summary>Whether another request under way has the same id.</summary>
    public bool SharesId { get; init; }
}

/// <summary>One request's conversation with its pool: attempts at one replica after another until the first byte, then the answer going by. Used by one request.</summary>
/// <remarks>YARP's forwarder sees it as the connection: it copies what this returns to the client. Retries happen inside, where nothing was sent yet.</remarks>
public sealed partial class Exchange : HttpMessageInvoker
{
    private readonly Departure _departure;
    private readonly HttpContext _http;
    private readonly Dispatcher _dispatcher;
    private readonly UpstreamPool _upstream;
    private readonly TimeProvider _time;
    private readonly List<Replica> _tried = [];
    private readonly List<AttemptFailure> _retried = [];
    private AttemptClock? _clock;
    private bool _isJudged;
    private bool _isTurnedAway;
    private int _serverErrors;
    private int? _enginePriority;
    private ServedTokens _charged;
    private ClientBodyFault? _bodyFault;
    private int _sent;

    internal Exchange(Departure departure, HttpContext http, Dispatcher dispatcher, UpstreamPool upstream, in AdmissionResult admission, TimeProvider time)
        : base(upstream.Handler, disposeHandler: false)
    {
        _departure = departure;
        _http = http;
        _dispatcher = dispatcher;
        _upstream = upstream;
        _time = time;
        Reservation = admission.Reservation!;
        Answer = new Answer(upstream.Pool.Name, Estimate, null, time);
        Admit(admission);
    }

    public InferenceRequest Request => _departure.Request;

    public RequestEstimate Estimate => _departure.Estimate;

    /// <summary>The reservation of the last attempt.</summary>
    public LoadReservation Reservation { get; private set; }

    /// <summary>Time in the queue over all attempts.</summary>
    public TimeSpan QueueWait { get; private set; }

    public int PrefixHitTokens { get; private set; }

    /// <summary>How long before the last attempt the replica was sent the part of the prompt that is believed to be cached there.</summary>
    public TimeSpan PrefixHitAge { get; private set; }

    /// <summary>Why the last attempt failed; null while none did or one succeeded.</summary>
    public AttemptFailure? Failure { get; private set; }

    /// <summary>Failures that were answered with another attempt.</summary>
    public IReadOnlyList<AttemptFailure> Retried => _retried;

    /// <summary>When the first attempt was sent; null: none was.</summary>
    public long? SentAt { get; private set; }

    /// <summary>What went by of the last attempt's answer.</summary>
    public Answer Answer { get; private set; }

    /// <summary>Called when an answer is about to go to the client, before that sees a byte of it, and again before it sees the end of a stream.</summary>
    public Action<Exchange>? Answering { get; init; }

    /// <summary>Whether the answer, or a part of it, went to the client; an answer that could not be passed on does not count.</summary>
    public bool HasPassed { get; private set; }

    /// <summary>Hears of each attempt; null: nobody does.</summary>
    public IAttemptObserver? Attempts { get; init; }

    internal bool IsEventStream { get; private set; }

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
        return result.Response ?? new HttpResponseMessage(System.Net.HttpStatusCode.BadGateway);
    }

    /// <summary>The answer goes to the client from here on.</summary>
    internal void Pass()
    {
        HasPassed = true;
        Answering?.Invoke(this);
    }

    /// <summary>The exchange is over: the replica's health takes its lesson and the room is returned.</summary>
    /// <param name="clientLeft">Whether the client was gone before the end.</param>
    public void Finish(bool clientLeft)
    {
        if (!_isJudged)
        {
            Judge(VerdictOnEnd(clientLeft));
        }
        _clock?.Cancel();
        _clock?.Dispose();
        _clock = null;
        if (Answer is { IsComplete: true, IsBroken: false })
        {
            Answer.Teach(Reservation);
        }
        LeavePlace();
        SettleCharge();
    }

    /// <summary>Whether a failed attempt is followed by another: the failure allows it, the body can be sent again, and the budget has one left.</summary>
    internal bool ShouldRetry(AttemptFailure? failure)
    {
        if (failure is not { MayRetry: true } || _isTurnedAway || _http.RequestAborted.IsCancellationRequested)
        {
            return false;
        }
        // Only one replica holds what the request refers to.
        if (Request.Body.PreviousResponseKey != 0)
        {
            return false;
        }
        // If the answer was lost, a stored or background response may exist already; and the part of an upload that was sent is gone. Such requests are repeated only if they never
        // reached an engine.
        if ((Request.Body.IsPinned || _departure.Body.Rest is not null) && !failure.IsUnsent)
        {
            return false;
        }
        if (failure is { Kind: FailureKind.EngineError, Status: 500 } && ++_serverErrors > 1)
        {
            return false;
        }
        // At most as many requests are lost at once as an engine had when it died, and its replica is suspended after a few: the first retry needs no budget if another
        // replica can take it.
        return (failure.IsLoss && _retried.TrueForAll(earlier => earlier.Kind == FailureKind.Preempted) && _upstream.HasOther(_tried)) || _upstream.Budget.TryTake();
    }

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
                    return known is { } result ? ValueTask.FromResult(result) : AttemptAsync(context.CancellationToken);
                },
                context);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private async ValueTask<AttemptResult> AttemptAsync(CancellationToken cancellationToken)
    {
        if (_tried.Count > 0 && await MoveAsync(cancellationToken) is { } refused)
        {
            return new AttemptResult(this, null, refused);
        }
        while (true)
        {
            var result = await SendOnceAsync(cancellationToken);
            if (result.Failure is not { Kind: FailureKind.Preempted } preempted)
            {
                return result;
            }
            if (await ComeBackAsync(preempted, cancellationToken) is { } refusal)
            {
                return new AttemptResult(this, null, refusal);
            }
        }
    }

    private async ValueTask<AttemptResult> SendOnceAsync(CancellationToken cancellationToken)
    {
        _tried.Add(Reservation.Replica);
        Answer = NewAnswer(Reservation.Replica);
        _clock?.Dispose();
        var clock = _clock = _upstream.Clock(_departure, cancellationToken, Reservation.Replica);
        _seat?.OnAsked(clock.CancelSoon);
        SentAt ??= _time.GetTimestamp();
        var attempt = new Attempt(Reservation, Answer, clock, _enginePriority, PrefixHitTokens, PrefixHitAge);
        var result = Begun(MayHedge ? await HedgedAsync(attempt, cancellationToken) : await RunAsync(attempt, cancellationToken));
        if (result.Failure is { } failure)
        {
            Attempts?.OnFailed(failure);
            Judge(VerdictOn(failure), failure.RetryAfter);
        }
        return result;
    }

    private async Task<AttemptResult> RunAsync(Attempt attempt, CancellationToken cancellationToken)
    {
        try
        {
            var message = UpstreamMessage.Create(_http, _departure, _upstream, attempt.Reservation.Replica, Interlocked.Increment(ref _sent), attempt.EnginePriority, fault => _bodyFault = fault);
            Attempts?.OnSending(message, attempt.Reservation.Replica);
            return await ReceiveAsync(await base.SendAsync(message, attempt.Clock.Token), attempt, cancellationToken);
        }
        catch (Exception broken) when (broken is OperationCanceledException or HttpRequestException or IOException)
        {
            return Failed(FailureOf(broken, attempt.Clock, cancellationToken));
        }
    }

    // A retry is a new choice with a new reservation; without one, the failure before stands.
    private async ValueTask<AttemptFailure?> MoveAsync(CancellationToken cancellationToken)
    {
        var constraints = new Constraints(_tried, _departure.Pinned) { HasFallback = _departure.HasFallback, MayGiveUp = MayGiveUp };
        return await EnterAgainAsync(constraints, cancellationToken);
    }

    private async ValueTask<AttemptFailure?> EnterAgainAsync(Constraints constraints, CancellationToken cancellationToken)
    {
        // The turn before brought no answer: its charge is taken back, so that fair orders charge for one answer only.
        _dispatcher.Settle(Request, _charged, default);
        _charged = default;
        LeavePlace();
        var admission = await _dispatcher.EnterAsync(Request, Estimate, constraints, cancellationToken);
        if (admission.Reservation is not null)
        {
            Admit(admission);
            return null;
        }
        _isTurnedAway = true;
        return admission.Outcome switch
        {
            AdmissionOutcome.CanceledByClient => new AttemptFailure(FailureKind.ClientGone),
            AdmissionOutcome.DeadlineExceeded => new AttemptFailure(FailureKind.DeadlineExceeded),
            AdmissionOutcome.RejectedShuttingDown => new AttemptFailure(FailureKind.ShuttingDown),
            _ => _retried[^1] with { RetryAfter = admission.RetryAfter },
        };
    }

    internal void NoteRetry(AttemptFailure failure)
    {
        _retried.Add(failure);
        _upstream.OnRetry(failure.Reason);
    }

    private void Admit(in AdmissionResult admission)
    {
        Reservation = admission.Reservation!;
        QueueWait += admission.Waited;
        PrefixHitTokens = admission.PrefixHitTokens;
        PrefixHitAge = admission.PrefixHitAge;
        _enginePriority = admission.EnginePriority;
        _charged = admission.Charged;
        _seat = admission.Seat;
        _isJudged = false;
    }

    private async ValueTask<AttemptResult> ReceiveAsync(HttpResponseMessage response, Attempt attempt, CancellationToken cancellationToken)
    {
        var reception = new Reception(_departure, _upstream, attempt.Answer, attempt.Reservation, attempt.Clock, ContinueAsync) { MustYield = MustYield, Completed = () => Answering?.Invoke(this) };
        try
        {
            var (received, failure) = await reception.ReceiveAsync(response, cancellationToken);
            return new AttemptResult(this, received, failure) { IsEventStream = reception.IsEventStream, MayYield = reception.MayContinue };
        }
        catch
        {
            // The client left or a limit passed while the answer was read: dispose now, so that its connection is not held until a garbage collection.
            response.Dispose();
            throw;
        }
    }

    private Answer NewAnswer(Replica replica) => new(_upstream.Pool.Name, Estimate, _upstream.TokenObserver(Request, replica), _time)
    {
        Streamed = _charged == default ? null : OnStreamed,
    };

    private AttemptResult Failed(AttemptFailure failure) => new(this, null, failure);

    private AttemptFailure FailureOf(Exception broken, AttemptClock clock, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested ? new AttemptFailure(FailureKind.ClientGone)
        : clock == _clock && _seat is { IsAsked: true } ? new AttemptFailure(FailureKind.Preempted)
        : _bodyFault is { } fault ? new AttemptFailure(FailureKind.ClientBody, fault == ClientBodyFault.TooLarge ? StatusCodes.Status413PayloadTooLarge : StatusCodes.Status400BadRequest)
        {
            BodyProblem = fault == ClientBodyFault.Malformed ? _departure.Body.Form?.Problem : null,
        }
        : clock.FoundHung ? new AttemptFailure(FailureKind.Hung)
        : clock.HasExpired ? new AttemptFailure(HasPassedDeadline ? FailureKind.DeadlineExceeded : FailureKind.Timeout)
        : clock.IsShutDown ? new AttemptFailure(FailureKind.ShuttingDown)
        : broken is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded }
            ? new AttemptFailure(FailureKind.BrokenAnswer)
        : new AttemptFailure(FailureKind.Unreachable)
        {
            // A cancellation with none of the causes above is the connect timeout.
            IsUnsent = broken is OperationCanceledException or HttpRequestException
            {
                HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
            },
        };

    private bool HasPassedDeadline =>
        Request is { Deadline: { } deadline, ArrivedAt: { } arrivedAt } && _time.GetElapsedTime(arrivedAt) >= deadline;
}
