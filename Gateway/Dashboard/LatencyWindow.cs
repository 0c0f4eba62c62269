namespace Gateway.Dashboard;

/// <summary>Counts of durations in slots of time, the newest few; a slot is cleared when its time has passed. Thread-safe, bounded.</summary>
internal sealed class LatencyWindow
{
    /// <summary>Slots kept.</summary>
    public const int Slots = 120;

    /// <summary>Buckets of a slot.</summary>
    public const int Buckets = 68;

    // From half a millisecond in steps of a quarter: up to half an hour, and each quantile right to an eighth.
    private const double LeastSeconds = 0.0005;
    private static readonly double Step = Math.Log(1.25);

    private readonly Lock _gate = new();
    private readonly int[]?[] _counts = new int[]?[Slots];
    private readonly long[] _slots = new long[Slots];

    public void Add(long slot, double seconds)
    {
        var bucket = BucketOf(seconds);
        lock (_gate)
        {
            var at = (int)(slot % Slots);
            var counts = _counts[at] ??= new int[Buckets];
            if (_slots[at] != slot)
            {
                _slots[at] = slot;
                Array.Clear(counts);
            }
            counts[bucket]++;
        }
    }

    /// <summary>Adds a slot's counts to others.</summary>
    public void AddTo(Span<long> sums, long slot)
    {
        lock (_gate)
        {
            var at = (int)(slot % Slots);
            if (_slots[at] == slot && _counts[at] is { } counts)
            {
                for (var i = 0; i < Buckets; i++)
                {
                    sums[i] += counts[i];
                }
            }
        }
    }

    /// <summary>A quantile of counts, in seconds; null: nothing was counted.</summary>
    public static double? Quantile(ReadOnlySpan<long> counts, double share)
    {
        var total = 0L;
        foreach (var count in counts)
        {
            total += count;
        }
        var rank = (long)Math.Ceiling(share * total);
        for (int i = 0; i < counts.Length && total > 0; i++)
        {
            rank -= counts[i];
            if (rank <= 0)
            {
                return LeastSeconds * Math.Exp((i + 0.5) * Step);
            }
        }
        return null;
    }

    private static int BucketOf(double seconds) => seconds <= LeastSeconds ? 0 : Math.Min(Buckets - 1, (int)(Math.Log(seconds / LeastSeconds) / Step));
}
