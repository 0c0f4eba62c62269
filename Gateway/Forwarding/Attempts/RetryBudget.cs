namespace Gateway.Forwarding.Attempts;

/// <summary>How many attempts beyond the first a pool may still make: a share of its requests, with a floor per second, so that an outage is not answered with a storm. Thread-safe.</summary>
/// <param name="limits">Attempts that each request earns, and how many are earned per second whatever comes; read anew each time.</param>
/// <param name="time">The clock.</param>
/// <param name="refused">Hears once a minute at most how many it refused since it last heard; null: nobody does.</param>
public sealed class RetryBudget(Func<(double Share, double PerSecond)> limits, TimeProvider time, Action<long>? refused = null)
{
    // Retries that can be saved up, in seconds of the floor rate: a burst of failures is retried, an endless one is not.
    private const double BurstSeconds = 2;

    private static readonly TimeSpan BetweenWords = TimeSpan.FromMinutes(1);

    private readonly Lock _gate = new();
    private long _refused;
    private long? _toldAt;
    private double _tokens = limits().PerSecond * BurstSeconds;
    private long _filledAt = time.GetTimestamp();

    /// <summary>A request came: it earns its share of a retry.</summary>
    public void OnRequest()
    {
        lock (_gate)
        {
            FillLocked(limits().Share);
        }
    }

    /// <summary>Takes a retry, if there is one left.</summary>
    public bool TryTake()
    {
        long untold;
        lock (_gate)
        {
            FillLocked(0);
            if (_tokens >= 1)
            {
                _tokens--;
                return true;
            }
            untold = RefusedLocked();
        }
        if (untold > 0)
        {
            refused?.Invoke(untold);
        }
        return false;
    }

    // Refused retries to report now; 0: the last report was too recent.
    private long RefusedLocked()
    {
        _refused++;
        var now = time.GetTimestamp();
        if (_toldAt is { } toldAt && time.GetElapsedTime(toldAt, now) < BetweenWords)
        {
            return 0;
        }
        _toldAt = now;
        var untold = _refused;
        _refused = 0;
        return untold;
    }

    private void FillLocked(double earned)
    {
        var now = time.GetTimestamp();
        var perSecond = limits().PerSecond;
        var seconds = time.GetElapsedTime(_filledAt, now).TotalSeconds;
        _filledAt = now;
        var most = Math.Max(1, perSecond * BurstSeconds);
        _tokens = Math.Min(Math.Max(most, _tokens), _tokens + earned + (seconds * perSecond));
    }
}
