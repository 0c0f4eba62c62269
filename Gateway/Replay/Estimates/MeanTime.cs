namespace Gateway.Replay.Estimates;

/// <summary>The mean time of many short steps, below the resolution of a <see cref="TimeSpan"/>. Used by one thread.</summary>
internal sealed class MeanTime(TimeProvider time)
{
    private long _timestamps;
    private long _steps;

    /// <summary>Null: no step was timed.</summary>
    public double? Microseconds => _steps == 0 ? null : 1e6 * _timestamps / time.TimestampFrequency / _steps;

    public long Start() => time.GetTimestamp();

    /// <param name="startedAt">What <see cref="Start"/> returned for this step.</param>
    public void End(long startedAt)
    {
        _timestamps += time.GetTimestamp() - startedAt;
        _steps++;
    }
}
