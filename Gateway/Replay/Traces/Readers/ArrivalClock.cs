namespace Gateway.Replay.Traces.Readers;

/// <summary>Turns a source's times into times since its first row, and refuses rows out of order.</summary>
internal sealed class ArrivalClock
{
    private const double MostMilliseconds = 1e15;

    private double? _first;
    private double _last;

    /// <summary>The arrival of the row before; zero before the first.</summary>
    public TimeSpan Latest { get; private set; }

    /// <summary>Whether <see cref="Next"/> would refuse the time as out of order.</summary>
    public bool IsBefore(double milliseconds) => milliseconds < _last;

    /// <param name="milliseconds">The source's own time, from any origin.</param>
    /// <param name="spot">The row, for messages.</param>
    public TimeSpan Next(double milliseconds, TraceSpot spot)
    {
        if (milliseconds < 0 || milliseconds > MostMilliseconds)
        {
            throw spot.Wrong("the time is out of range. Allowed: 0 to 1e15 ms.");
        }

        var first = _first ??= milliseconds;
        if (IsBefore(milliseconds))
        {
            throw spot.Wrong("the time is before that of the row above. Rows must be sorted by time.");
        }

        _last = milliseconds;
        return Latest = TimeSpan.FromTicks((long)Math.Round((milliseconds - first) * TimeSpan.TicksPerMillisecond));
    }
}
