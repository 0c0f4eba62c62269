using System.Threading.Channels;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Live;

/// <summary>
/// Sends a workload at its own times, whatever becomes of the answers: an open loop. Only a session waits, for its last answer. One instance, one run.
/// </summary>
/// <param name="client">Who sends.</param>
/// <param name="model">The model asked for.</param>
/// <param name="mostOpen">Requests open at once, at most.</param>
/// <param name="observer">Hears each result, on one thread at a time.</param>
/// <param name="time">The clock.</param>
internal sealed class LiveLoad(LiveClient client, string model, int mostOpen, IRunObserver observer, TimeProvider time)
{
    private const string TooMany = "not sent: too many open requests";

    private readonly Channel<Ending?> _wakes = Channel.CreateUnbounded<Ending?>(new UnboundedChannelOptions { SingleReader = true });
    private readonly SessionLine _sessions = new();
    private readonly LiveTally _tally = new(observer, time);
    private long _ordinal;

    /// <summary>Requests that ended so far, and those of them that did not end well.</summary>
    public (long Ended, long Failed, int Open) Progress => (_tally.Ended, _tally.Failed, _tally.Open);

    /// <summary>Runs to the end of the last answer. Cancelled, it gives up what is open and tells what it has.</summary>
    /// <exception cref="TraceException">The workload is damaged.</exception>
    public async Task<LoadFigures> RunAsync(ITrace trace, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await SendAllAsync(trace, stop.Token);
        }
        finally
        {
            await stop.CancelAsync();
            while (_tally.Open > 0)
            {
                await TakeAsync(await _wakes.Reader.ReadAsync(CancellationToken.None));
            }
        }
        return _tally.Close();
    }

    private async Task SendAllAsync(ITrace trace, CancellationToken cancellationToken)
    {
        using var alarm = time.CreateTimer(_ => _wakes.Writer.TryWrite(null), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        using var rows = trace.Read().GetEnumerator();
        var hasRow = rows.MoveNext();
        var first = hasRow ? rows.Current.Arrival : TimeSpan.Zero;
        _tally.Begin();
        while (!cancellationToken.IsCancellationRequested)
        {
            var now = _tally.Now;
            while (hasRow && rows.Current.Arrival - first <= now)
            {
                var row = rows.Current with { Arrival = rows.Current.Arrival - first };
                if (_sessions.MayStart(row, now))
                {
                    Start(row, row.Arrival, cancellationToken);
                }
                hasRow = rows.MoveNext();
            }
            while (_sessions.NextDue is { } due && due <= now)
            {
                Start(_sessions.TakeDue(), due, cancellationToken);
            }
            var next = Earlier(hasRow ? rows.Current.Arrival - first : null, _sessions.NextDue);
            if (next is null && _tally.Open == 0)
            {
                return;
            }
            if (!await WakeAsync(alarm, next, cancellationToken))
            {
                return;
            }
        }
    }

    /// <summary>Waits until a moment, or until an answer ends.</summary>
    /// <returns>False: given up.</returns>
    private async Task<bool> WakeAsync(ITimer alarm, TimeSpan? next, CancellationToken cancellationToken)
    {
        // Timers count whole milliseconds: rounded down, the loop would spin through the last one.
        alarm.Change(next is { } moment ? TimeSpan.FromMilliseconds(Math.Clamp(Math.Ceiling((moment - _tally.Now).TotalMilliseconds), 0, int.MaxValue)) : Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        try
        {
            await _wakes.Reader.WaitToReadAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
        while (_wakes.Reader.TryRead(out var ending))
        {
            await TakeAsync(ending);
        }
        return true;
    }

    private void Start(TraceRequest row, TimeSpan due, CancellationToken cancellationToken)
    {
        var ordinal = ++_ordinal;
        var isTooMany = _tally.Open >= mostOpen;
        _tally.OnAsked(isSent: !isTooMany);
        if (isTooMany)
        {
            End(row, due, new LiveAnswer { EndedAt = time.GetTimestamp(), Failure = TooMany, Outcome = ReplayOutcome.Failed });
            return;
        }
        // Written and sent on the pool: a long prompt must not hold up the next request.
        var asking = Task.Run(() => client.AskAsync(model, row, ordinal, cancellationToken), CancellationToken.None);
        _ = asking.ContinueWith(
            asked => _wakes.Writer.TryWrite(new Ending(row, due, asked)), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task TakeAsync(Ending? ending)
    {
        if (ending is { } ended)
        {
            if (!ended.Answer.IsCompletedSuccessfully)
            {
                _tally.OnLost();
            }
            End(ended.Row, ended.Due, await ended.Answer);
        }
    }

    private void End(TraceRequest row, TimeSpan due, LiveAnswer answer)
    {
        var end = _tally.OnEnded(row, due, answer);
        _sessions.OnEnded(row, end);
    }

    private static TimeSpan? Earlier(TimeSpan? a, TimeSpan? b) => a is null ? b : b is null ? a : a < b ? a : b;

    private sealed record Ending(TraceRequest Row, TimeSpan Due, Task<LiveAnswer> Answer);
}
