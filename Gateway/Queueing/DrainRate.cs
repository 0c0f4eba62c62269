namespace Gateway.Queueing;

/// <summary>How fast the queue moves, from the times between turns while somebody waits. Not thread-safe.</summary>
internal sealed class DrainRate(TimeProvider time)
{
    // Room comes in bursts: fewer turns than this would take a burst for the rate.
    private const double Smoothing = 0.05;
    private const double SteadySmoothing = 0.01;
    private const int LeastTurns = 8;
    private const double UnknownSeconds = 1;
    private const double LongestSeconds = 120;
    private const double UnknownRecoverySeconds = 5;

    private double _secondsPerTurn;
    private double _steadySecondsPerTurn;
    private long _turns;
    private long? _lastTurn;

    /// <summary>Seconds between turns lately; 0: none was seen yet.</summary>
    public double SecondsPerTurn
    {
        get
        {
            // A queue that stands still is slower than its turns were.
            var standing = _lastTurn is { } last ? time.GetElapsedTime(last).TotalSeconds : 0;
            return _secondsPerTurn > 0 && standing > _secondsPerTurn ? Blended(standing) : _secondsPerTurn;
        }
    }

    /// <summary>Seconds between turns, by the shorter and the longer memory whichever is less; 0: too few were seen to say.</summary>
    public double LeastSecondsPerTurn => _turns < LeastTurns ? 0 : Math.Min(_secondsPerTurn, _steadySecondsPerTurn);

    public void OnTurn()
    {
        var now = time.GetTimestamp();
        if (_lastTurn is { } last)
        {
            var gap = time.GetElapsedTime(last, now).TotalSeconds;
            _secondsPerTurn = _secondsPerTurn == 0 ? gap : Blended(gap);
            _turns++;
            _steadySecondsPerTurn += Math.Max(SteadySmoothing, 1.0 / _turns) * (gap - _steadySecondsPerTurn);
        }
        _lastTurn = now;
    }

    /// <summary>Nobody waits: the next gap says nothing about how fast the queue moves.</summary>
    public void OnEmpty() => _lastTurn = null;

    /// <summary>Time until a request behind so many others would have its turn; whole seconds, 1 to 120.</summary>
    public TimeSpan RetryAfter(int waiting)
    {
        var perTurn = SecondsPerTurn;
        var seconds = Math.Ceiling(waiting * (perTurn == 0 ? UnknownSeconds / Math.Max(1, waiting) : perTurn));
        return TimeSpan.FromSeconds(Math.Clamp(seconds, 1, LongestSeconds));
    }

    /// <summary>When one that is refused may come again; null where waiting does not help.</summary>
    /// <param name="outcome">Why it is refused.</param>
    /// <param name="waiting">Its place, were it let in.</param>
    /// <param name="untilRetry">Until a replica that takes no work now is tried again; null: no such replica.</param>
    public TimeSpan? RetryAfter(AdmissionOutcome outcome, int waiting, TimeSpan? untilRetry) => outcome switch
    {
        AdmissionOutcome.RejectedQueueFull or AdmissionOutcome.ExpiredInQueue => RetryAfter(waiting),
        AdmissionOutcome.RejectedNoReplica => TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(untilRetry?.TotalSeconds ?? UnknownRecoverySeconds))),
        AdmissionOutcome.RejectedShuttingDown => TimeSpan.FromSeconds(1),
        _ => null,
    };

    private double Blended(double gap) => _secondsPerTurn + (Smoothing * (gap - _secondsPerTurn));
}
