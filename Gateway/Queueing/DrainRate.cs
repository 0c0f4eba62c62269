namespace Gateway.Queueing;

/// <summary>How fast the queue moves, from the times between turns while somebody waits. Not thread-safe.</summary>
internal sealed class DrainRate(TimeProvider time)
{
    private const double Smoothing = 0.1;
    private const double UnknownSeconds = 1;
    private const double LongestSeconds = 120;

    private double _secondsPerTurn;
    private long? _lastTurn;

    public void OnTurn()
    {
        var now = time.GetTimestamp();
        if (_lastTurn is { } last)
        {
            var gap = time.GetElapsedTime(last, now).TotalSeconds;
            _secondsPerTurn = _secondsPerTurn == 0 ? gap : _secondsPerTurn + (Smoothing * (gap - _secondsPerTurn));
        }
        _lastTurn = now;
    }

    /// <summary>Nobody waits: the next gap says nothing about how fast the queue moves.</summary>
    public void OnEmpty() => _lastTurn = null;

    /// <summary>Time until a request behind so many others would have its turn; whole seconds, 1 to 120.</summary>
    public TimeSpan RetryAfter(int waiting)
    {
        var seconds = Math.Ceiling(waiting * (_secondsPerTurn == 0 ? UnknownSeconds / Math.Max(1, waiting) : _secondsPerTurn));
        return TimeSpan.FromSeconds(Math.Clamp(seconds, 1, LongestSeconds));
    }
}
