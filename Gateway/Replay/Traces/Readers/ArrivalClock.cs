namespace Gateway.Replay.Traces.Readers;

/// <summary>Turns a source's times into times since its first row, and refuses rows out of order.</summary>
internal sealed class ArrivalClock
{
    private const double MostMilliseconds = 1e14;

    private long? _first;
    private long _last;

    /// <summary>The arrival of the row before; zero before the first.</summary>
    public TimeSpan Latest { get; private set; }

    /// <param name="milliseconds">The source's own time, from any origin.</param>
    /// <param name="spot">The row, for messages.</param>
    public TimeSpan Next(double milliseconds, TraceSpot spot) => milliseconds is >= 0 and <= MostMilliseconds
        ? Next(TimeSpan.FromTicks((long)Math.Round(milliseconds * TimeSpan.TicksPerMillisecond)), spot)
        : throw spot.Wrong("the time is out of range. Allowed: 0 to 1e14 ms.");

    /// <param name="time">The source's own time, from any origin.</param>
    /// <param name="spot">The row, for messages.</param>
    public TimeSpan Next(TimeSpan time, TraceSpot spot)
    {
        if (IsBefore(time))
        {
            throw spot.Wrong("the time is before that of the row above. Rows must be sorted by time.");
        }

        _last = time.Ticks;
        return Latest = TimeSpan.FromTicks(_last - (_first ??= _last));
    }

    /// <summary>Whether <see cref="Next(TimeSpan, TraceSpot)"/> would refuse the time.</summary>
    public bool IsBefore(TimeSpan time) => time.Ticks < _last;
}
