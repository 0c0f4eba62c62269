namespace Gateway.Cli.Calibration;

/// <summary>How many requests a calibration may still send, and how long it has taken; the time itself is bounded by the caller's token. Thread-safe.</summary>
internal sealed class ProbeBudget(int requests, TimeProvider clock)
{
    private readonly long _startedAt = clock.GetTimestamp();
    private int _used;

    /// <summary>Requests in all.</summary>
    public int Requests => requests;

    /// <summary>Requests charged so far.</summary>
    public int Used => Volatile.Read(ref _used);

    public int Left => requests - Used;

    /// <summary>Time so far.</summary>
    public TimeSpan Elapsed => clock.GetElapsedTime(_startedAt);

    /// <summary>Charges requests, all or none.</summary>
    public bool TryTake(int count)
    {
        if (Interlocked.Add(ref _used, count) <= requests)
        {
            return true;
        }

        Interlocked.Add(ref _used, -count);
        return false;
    }
}
