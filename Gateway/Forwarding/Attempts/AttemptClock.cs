namespace Gateway.Forwarding.Attempts;

/// <summary>The time limits of one attempt: until the first byte, between two bytes, and over all. Cancels <see cref="Token"/> when one passes.</summary>
/// <remarks>One timer that looks now and then, instead of one that is set anew for every read: a limit may be a quarter late, a stream pays nothing.</remarks>
internal sealed class AttemptClock : IDisposable
{
    // Time for the stream to end after a complete answer: an engine that keeps the connection open is not waited for longer.
    private static readonly TimeSpan AfterCompletion = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan ShortestLook = TimeSpan.FromMilliseconds(10);

    // Added to the pause between two looks, so that one of them comes just after a limit: a look just before it would notice it only at the next.
    private static readonly TimeSpan Behind = TimeSpan.FromMilliseconds(2);

    private readonly CancellationTokenSource _source;
    private readonly CancellationToken _shutdown;
    private readonly TimeProvider _time;
    private readonly TimeSpan _firstByte;
    private readonly TimeSpan _idle;
    private readonly TimeSpan _total;
    private readonly long _startedAt;
    private readonly ITimer _look;
    private long _waitingSince;
    private int _phase;

    /// <param name="firstByte">From sending to the first byte.</param>
    /// <param name="idle">Between two bytes of a stream.</param>
    /// <param name="total">Over all.</param>
    /// <param name="time">The clock.</param>
    /// <param name="clientGone">Cancels as well.</param>
    /// <param name="shutdown">Cancels as well: the gateway waits no longer for running answers.</param>
    public AttemptClock(TimeSpan firstByte, TimeSpan idle, TimeSpan total, TimeProvider time, CancellationToken clientGone, CancellationToken shutdown = default)
    {
        _source = CancellationTokenSource.CreateLinkedTokenSource(clientGone, shutdown);
        _shutdown = shutdown;
        (_firstByte, _idle, _total, _time) = (firstByte, idle, total, time);
        _startedAt = time.GetTimestamp();
        _waitingSince = _startedAt;
        var every = (Least(Least(firstByte, idle), total) / 4) + Behind;
        var look = every < ShortestLook ? ShortestLook : every > AfterCompletion ? AfterCompletion : every;
        _look = time.CreateTimer(static state => ((AttemptClock)state!).Look(), this, look, look);
    }

    /// <summary>Canceled when a limit passed, the client left or the gateway ends.</summary>
    public CancellationToken Token => _source.Token;

    /// <summary>Whether a limit passed.</summary>
    public bool HasExpired { get; private set; }

    /// <summary>Whether the total is the request's own deadline.</summary>
    public bool IsTotalDeadline { get; init; }

    /// <summary>Whether it was the request's own deadline that passed.</summary>
    public bool HasPassedDeadline { get; private set; }

    /// <summary>Asked with the time waited so far: whether the replica hangs, so that waiting on is useless; null: only the limits count.</summary>
    public Func<TimeSpan, bool>? IsInVain { get; init; }

    /// <summary>Whether the attempt was ended because the replica hangs, and not by a limit.</summary>
    public bool FoundHung { get; private set; }

    /// <summary>Whether the gateway's own stop ended the attempt.</summary>
    public bool IsShutDown => _shutdown.IsCancellationRequested && !HasExpired;

    /// <summary>The next bytes are waited for from now on.</summary>
    /// <param name="isComplete">Whether the answer is complete, so that only the end of the stream is due.</param>
    public void AwaitNext(bool isComplete)
    {
        Volatile.Write(ref _waitingSince, _time.GetTimestamp());
        Volatile.Write(ref _phase, isComplete ? 2 : 1);
    }

    /// <summary>Bytes came, and it is the client's turn to take them: until the next wait only the total is due.</summary>
    public void Pause() => Volatile.Write(ref _phase, 3);

    /// <summary>Waits for a task, but no longer than a pause; whether it is still to come.</summary>
    public async ValueTask<bool> IsPendingAfterAsync(Task task, TimeSpan pause) =>
        await IsOutlastedAsync(task, pause, Token) && !Token.IsCancellationRequested;

    /// <summary>The same of what goes on after the attempt, whatever becomes of it.</summary>
    public ValueTask<bool> IsOutlastedAsync(Task task, TimeSpan pause) => IsOutlastedAsync(task, pause, CancellationToken.None);

    private async ValueTask<bool> IsOutlastedAsync(Task task, TimeSpan pause, CancellationToken cancellationToken)
    {
        using var isOver = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await Task.WhenAny(task, Task.Delay(pause, _time, isOver.Token));
        await isOver.CancelAsync();
        return !task.IsCompleted;
    }

    /// <summary>Ends the attempt for a reason other than time.</summary>
    public void Cancel() => _source.Cancel();

    /// <summary>As <see cref="Cancel"/>, but the callbacks of the token run elsewhere, and an attempt that has ended already is left alone.</summary>
    public void CancelSoon()
    {
        try
        {
            _ = _source.CancelAsync();
        }
        catch (ObjectDisposedException)
        {
            // The attempt has ended.
        }
    }

    public void Dispose()
    {
        _look.Dispose();
        _source.Dispose();
    }

    private void Look()
    {
        var limit = Volatile.Read(ref _phase) switch
        {
            0 => _firstByte,
            1 => _idle,
            2 => AfterCompletion,
            _ => _total,
        };
        var waited = _time.GetElapsedTime(Volatile.Read(ref _waitingSince));
        HasPassedDeadline = IsTotalDeadline && _time.GetElapsedTime(_startedAt) >= _total;
        if (waited < limit && _time.GetElapsedTime(_startedAt) < _total)
        {
            FoundHung = Volatile.Read(ref _phase) is 0 or 1 && IsInVain?.Invoke(waited) == true;
            if (!FoundHung)
            {
                return;
            }
        }
        HasExpired = true;
        try
        {
            _source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended while its limit passed.
        }
    }

    private static TimeSpan Least(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
