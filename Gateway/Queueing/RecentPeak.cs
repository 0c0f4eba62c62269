namespace Gateway.Queueing;

/// <summary>The highest of what was seen within the last minute, to six seconds. Guarded by its owner's lock.</summary>
internal sealed class RecentPeak(TimeProvider time)
{
    private static readonly TimeSpan Span = TimeSpan.FromSeconds(6);
    private readonly long _startedAt = time.GetTimestamp();
    private readonly double[] _peaks = new double[10];
    private long _last;

    /// <summary>Something is part of what is seen from now on, or no longer, and counts as if it had always been so.</summary>
    public void Shift(double change)
    {
        foreach (ref var peak in _peaks.AsSpan())
        {
            peak = peak > 0 ? Math.Max(0, peak + change) : 0;
        }
    }

    /// <summary>The peak, the value of now included.</summary>
    public double Of(double now)
    {
        var current = time.GetElapsedTime(_startedAt).Ticks / Span.Ticks;
        for (var past = Math.Max(_last + 1, current - _peaks.Length + 1); past <= current; past++)
        {
            _peaks[past % _peaks.Length] = 0;
        }
        _last = current;
        ref var peak = ref _peaks[current % _peaks.Length];
        peak = Math.Max(peak, now);
        return _peaks.Max();
    }
}
