namespace Gateway.Forwarding;

/// <summary>How many retries a pool may still make: a share of its requests, with a floor per second, so that an outage is not answered with a storm. Thread-safe.</summary>
public sealed class RetryBudget(Func<ResilienceOptions> options, TimeProvider time)
{
    // Savings of this many seconds of the floor: bursts of failures are served, endless ones are not.
    private const double BurstSeconds = 2;

    private readonly Lock _gate = new();
    private double _tokens = options().RetryBudgetPerSecond * BurstSeconds;
    private long _filledAt = time.GetTimestamp();

    /// <summary>A request came: it earns its share of a retry.</summary>
    public void OnRequest()
    {
        lock (_gate)
        {
            FillLocked(options().RetryBudgetShare);
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
        var limits = options();
        var seconds = time.GetElapsedTime(_filledAt, now).TotalSeconds;
        _filledAt = now;
        var most = Math.Max(1, limits.RetryBudgetPerSecond * BurstSeconds);
        _tokens = Math.Min(Math.Max(most, _tokens), _tokens + earned + (seconds * limits.RetryBudgetPerSecond));
    }
}
