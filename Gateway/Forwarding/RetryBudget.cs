namespace Gateway.Forwarding;

/// <summary>How many attempts beyond the first a pool may still make: a share of its requests, with a floor per second, so that an outage is not answered with a storm. Thread-safe.</summary>
/// <param name="limits">Attempts that each request earns, and how many are earned per second whatever comes; read anew each time.</param>
/// <param name="time">The clock.</param>
public sealed class RetryBudget(Func<(double Share, double PerSecond)> limits, TimeProvider time)
{
    // Savings of this many seconds of the floor: bursts of failures are served, endless ones are not.
    private const double BurstSeconds = 2;

    private readonly Lock _gate = new();
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
        lock (_gate)
        {
            FillLocked(0);
            if (_tokens < 1)
            {
                return false;
            }
            _tokens--;
            return true;
        }
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
