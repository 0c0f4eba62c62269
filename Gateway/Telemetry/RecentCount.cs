namespace Gateway.Telemetry;

/// <summary>How often something happened within the last minute, as exact as a slot is long. Guarded by its owner's lock.</summary>
/// <param name="time">The clock.</param>
/// <param name="slots">Parts of the minute; the oldest leaves as a whole.</param>
internal sealed class RecentCount(TimeProvider time, int slots)
{
    private readonly long _startedAt = time.GetTimestamp();
    private readonly long[] _counts = new long[slots];
    private long _last;

    /// <summary>It happened so often just now.</summary>
    public void Add(int times)
    {
        var slot = Move();
        _counts[slot] += times;
    }

    /// <summary>The count of the last minute.</summary>
    public long Sum()
    {
        Move();
        return _counts.Sum();
    }

    private long Move()
    {
        var current = time.GetElapsedTime(_startedAt).Ticks / (TimeSpan.TicksPerMinute / slots);
        for (var past = Math.Max(_last + 1, current - slots + 1); past <= current; past++)
        {
            _counts[past % slots] = 0;
        }
        _last = current;
        return current % slots;
    }
}
