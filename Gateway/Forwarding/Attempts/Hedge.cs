using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Forwarding.Attempts;

/// <summary>Runs an attempt, and a second one elsewhere where the first is slow against its own prediction. The one that begins first stays.</summary>
/// <param name="outgoing">The request.</param>
/// <param name="upstream">Its pool.</param>
/// <param name="turns">Where the second attempt gets its place.</param>
/// <param name="run">Runs one attempt up to the beginning of its answer.</param>
internal sealed class Hedge(OutgoingRequest outgoing, UpstreamPool upstream, Turns turns, Func<Attempt, CancellationToken, Task<AttemptResult>> run)
{
    private static readonly TimeSpan LongestPatience = TimeSpan.FromHours(1);

    /// <summary>Only for requests that any replica can answer, and only streams: of a plain answer nothing is seen until its end, so it cannot be called slow.</summary>
    public static bool IsFor(OutgoingRequest outgoing) => outgoing.Options.Hedge.Share > 0 && outgoing.Body.Rest is null
        && outgoing.Request.Body is { IsStreaming: true, IsPinned: false, PreviousResponseKey: 0, Choices: 1, Prompts: 1 };

    /// <summary>What came of the attempt that stays; the other one is over.</summary>
    public async ValueTask<AttemptResult> RunAsync(Attempt first, CancellationToken cancellationToken)
    {
        upstream.Hedges.OnRequest();
        var running = run(first, cancellationToken);
        if (PatienceWith(first.Replica) is not { } patience || !await first.Clock!.IsPendingAfterAsync(running, patience) || !upstream.Hedges.TryTake()
            || await PlaceAsync(cancellationToken) is not { } second)
        {
            return await running;
        }
        var hedge = run(second, cancellationToken);
        try
        {
            return await RaceAsync((first, running), (second, hedge));
        }
        catch
        {
            // The exchange, which this ends, does not know of the second attempt: its room would be lost with it.
            await EndAsync(first, running);
            await EndAsync(second, hedge);
            second.Abandon();
            second.Stop();
            throw;
        }
    }

    private async ValueTask<AttemptResult> RaceAsync((Attempt Attempt, Task<AttemptResult> Run) first, (Attempt Attempt, Task<AttemptResult> Run) second)
    {
        var (stays, leaves) = (first, second);
        var ended = await Task.WhenAny(first.Run, second.Run);
        if ((ended == first.Run) == ((await ended).Failure is not null))
        {
            (stays, leaves) = (leaves, stays);
        }
        // Before the other has begun, too: the place of what failed may have been asked for.
        await DropAsync(leaves.Attempt, leaves.Run);
        var result = await stays.Run;
        upstream.OnHedged(result.Failure is not null ? "failed" : stays == second ? "won" : "lost");
        return result;
    }

    // Null: too little is known of the replica to call it slow.
    private TimeSpan? PatienceWith(Replica replica)
    {
        var (state, options) = (replica.Snapshot(), outgoing.Options.Hedge);
        if (!state.Rates.IsLearned)
        {
            return null;
        }
        var predicted = TimeSpan.FromSeconds(Math.Min(options.Slowness * state.Rates.TimeToFirstToken(state.QueuedPrefillTokens, 0), LongestPatience.TotalSeconds));
        return predicted > options.LeastWait ? predicted : options.LeastWait;
    }

    // Only where there is room at once: a hedge takes nothing from those who wait.
    private async ValueTask<Attempt?> PlaceAsync(CancellationToken cancellationToken)
    {
        var admission = await turns.EnterUnchargedAsync(outgoing.Estimate, new Constraints(turns.Tried) { IsAtOnce = true }, cancellationToken);
        if (admission.Reservation is not { } reservation)
        {
            return null;
        }
        var second = turns.AttemptOf(admission);
        if (turns.Tried.Contains(reservation.Replica))
        {
            second.Abandon();
            return null;
        }
        turns.OnSending(second.Replica);
        second.Start(upstream.Clock(outgoing, cancellationToken, second.Replica));
        return second;
    }

    private static async ValueTask EndAsync(Attempt attempt, Task<AttemptResult> run)
    {
        if (!run.IsCompleted)
        {
            attempt.Clock!.Cancel();
        }
        await ((Task)run).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (run.IsCompletedSuccessfully)
        {
            (await run).Response?.Dispose();
        }
    }

    // An attempt that was still under way says nothing about its replica: it was ended here.
    private async ValueTask DropAsync(Attempt attempt, Task<AttemptResult> run)
    {
        var isEndedHere = !run.IsCompleted;
        attempt.Clock!.Cancel();
        var result = await run;
        result.Response?.Dispose();
        attempt.Judge(result.Failure is { } failure && !isEndedHere ? Verdict.On(failure, outgoing, upstream) : Verdict.Abandoned);
        attempt.Leave();
        attempt.Stop();
    }
}
