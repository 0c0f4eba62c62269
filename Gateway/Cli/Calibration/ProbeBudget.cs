namespace Gateway.Cli.Calibration;

/// <summary>How much a calibration may ask of an engine: requests and seconds. Thread-safe.</summary>
internal sealed class ProbeBudget(int requests, TimeSpan time, TimeProvider clock)
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

    /// <summary>Time left; zero when it is over.</summary>
    public TimeSpan TimeLeft => Elapsed < time ? time - Elapsed : TimeSpan.Zero;

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
