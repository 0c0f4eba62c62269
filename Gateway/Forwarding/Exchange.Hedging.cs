using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Forwarding;

/// <summary>One try at one replica.</summary>
/// <param name="Reservation">Its room.</param>
/// <param name="Answer">What goes by.</param>
/// <param name="Clock">Its time.</param>
/// <param name="EnginePriority">The request's key in the engine's scale.</param>
/// <param name="PrefixHitTokens">Prompt tokens believed cached there.</param>
/// <param name="PrefixHitAge">How long before that part was sent there.</param>
internal sealed record Attempt(LoadReservation Reservation, Answer Answer, AttemptClock Clock, int? EnginePriority, int PrefixHitTokens, TimeSpan PrefixHitAge);

public sealed partial class Exchange
{
    private static readonly TimeSpan LongestHedgeWait = TimeSpan.FromHours(1);

    // Only for requests that any replica can answer, and only streams: of a plain answer nothing is seen until its end, so it cannot be called slow.
    private bool MayHedge => _departure.Options.Hedge.Share > 0 && _departure.Body.Rest is null
        && Request.Body is { IsStreaming: true, IsPinned: false, PreviousResponseKey: 0, Choices: 1, Prompts: 1 };

    /// <summary>Runs an attempt, and a second one elsewhere where the first is slow against its own prediction. The one that begins first stays.</summary>
    private async ValueTask<AttemptResult> HedgedAsync(Attempt first, CancellationToken cancellationToken)
    {
        _upstream.Hedges.OnRequest();
        var running = RunAsync(first, cancellationToken);
        if (PatienceWith(first.Reservation) is not { } patience || !await first.Clock.IsPendingAfterAsync(running, patience) || !_upstream.Hedges.TryTake()
            || await PlaceHedgeAsync(cancellationToken) is not { } second)
        {
            return await running;
        }
        var hedge = RunAsync(second, cancellationToken);
        var (winner, loser, winning, losing) = await Task.WhenAny(running, hedge) == hedge
            ? (hedge, running, second, first)
            : (running, hedge, first, second);
        if ((await winner).Failure is not null)
        {
            // The first to end has failed: the other one may still begin.
            (winner, loser, winning, losing) = (loser, winner, losing, winning);
        }
        var result = await winner;
        await DropAsync(losing, loser);
        Adopt(winning);
        _upstream.OnHedged(result.Failure is not null ? "failed" : winning == second ? "won" : "lost");
        return result;
    }

    // Null: too little is known of the replica to call it slow.
    private TimeSpan? PatienceWith(LoadReservation reservation)
    {
        var replica = reservation.Replica.Snapshot();
        if (!replica.Rates.IsLearned)
        {
            return null;
        }
        var options = _departure.Options.Hedge;
        var predicted = TimeSpan.FromSeconds(Math.Min(options.Slowness * replica.Rates.TimeToFirstToken(replica.QueuedPrefillTokens, 0), LongestHedgeWait.TotalSeconds));
        return predicted > options.LeastWait ? predicted : options.LeastWait;
    }

    // Only where there is room at once: a hedge must not wait in the queue, and so never goes before others.
    private async ValueTask<Attempt?> PlaceHedgeAsync(CancellationToken cancellationToken)
    {
        using var atOnce = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var turn = _dispatcher.EnterAsync(Request, Estimate, new Constraints(_tried) { HasFallback = true }, atOnce.Token);
        if (!turn.IsCompleted)
        {
            await atOnce.CancelAsync();
        }
        var admission = await turn;
        if (admission.Reservation is not { } reservation)
        {
            return null;
        }
        _dispatcher.Settle(Request, admission.Charged, default);
        if (_tried.Contains(reservation.Replica))
        {
            reservation.Replica.OnAbandoned();
            reservation.Dispose();
            return null;
        }
        _tried.Add(reservation.Replica);
        var clock = _upstream.Clock(_departure, cancellationToken, reservation.Replica);
        return new Attempt(reservation, NewAnswer(reservation.Replica), clock, admission.EnginePriority, admission.PrefixHitTokens, admission.PrefixHitAge);
    }

    /// <summary>Ends the attempt that is not needed: its engine sees the connection close.</summary>
    private async ValueTask DropAsync(Attempt attempt, Task<AttemptResult> run)
    {
        var isUndecided = !run.IsCompleted;
        attempt.Clock.Cancel();
        var result = await run;
        result.Response?.Dispose();
        if (result.Failure is { } failure && !isUndecided)
        {
            Judge(attempt.Reservation.Replica, VerdictOn(failure), failure.RetryAfter);
        }
        else
        {
            attempt.Reservation.Replica.OnAbandoned();
        }
        attempt.Reservation.Dispose();
        attempt.Clock.Dispose();
    }

    private void Adopt(Attempt attempt)
    {
        if (attempt.Reservation != Reservation)
        {
            // The seat, which a more urgent request may ask for, belonged to the attempt that is dropped.
            _seat?.Leave();
            _seat = null;
        }
        (Reservation, Answer, _clock, _enginePriority, PrefixHitTokens, PrefixHitAge) =
            (attempt.Reservation, attempt.Answer, attempt.Clock, attempt.EnginePriority, attempt.PrefixHitTokens, attempt.PrefixHitAge);
    }
}
