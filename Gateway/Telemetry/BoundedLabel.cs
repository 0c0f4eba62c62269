using System.Collections.Concurrent;

namespace Gateway.Telemetry;

/// <summary>Keeps a label's values few: the first ones pass, what comes after the limit is counted as one. Thread-safe, allocates only for new values.</summary>
public sealed class BoundedLabel(int limit)
{
    private readonly ConcurrentDictionary<string, string> _known = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>The value itself, or "other".</summary>
    public string Of(string value)
    {
        if (_known.TryGetValue(value, out var known))
        {
            return known;
        }
        if (Volatile.Read(ref _count) >= limit || Interlocked.Increment(ref _count) > limit)
        {
            return MetricNames.Overflow;
        }
        return _known.GetOrAdd(value, value);
    }
}
