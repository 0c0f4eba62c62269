namespace Gateway.Replicas;

/// <summary>When failures suspend a replica.</summary>
/// <param name="FailuresToOpen">Server faults in a row.</param>
/// <param name="OpenDuration">How long it then gets no work, before one request tries it.</param>
public sealed record FaultLimits(int FailuresToOpen, TimeSpan OpenDuration);

/// <summary>The circuit breaker of one replica: counts server faults in a row, never client errors or departures. Guarded by its replica's lock.</summary>
internal sealed class FaultGate(FaultLimits limits, TimeProvider time)
{
    private int _faultsInARow;
    private bool _isTrying;
    private long? _openedAt;
    private long? _backOffFrom;
    private TimeSpan _backOff;
    private bool _mayPause;

    /// <summary>Whether there may be a pause. May be read without the lock by one that saw the health under it.</summary>
    public bool MayPause => Volatile.Read(ref _mayPause);

    public FaultLimits Limits
    {
        get;
        set
        {
            field = value;
            Volatile.Write(ref _mayPause, true);
        }
    } = limits;

    /// <summary>Up, suspended, or backing off. While suspended, one request at a time may try once the pause is over.</summary>
    public ReplicaHealth Verdict(int runningRequests)
    {
        if (_backOffFrom is { } from && time.GetElapsedTime(from) < _backOff)
        {
            return ReplicaHealth.BackingOff;
        }
        if (_openedAt is not { } openedAt)
        {
            return ReplicaHealth.Up;
        }
        var mayTry = time.GetElapsedTime(openedAt) >= Limits.OpenDuration && !(_isTrying && runningRequests > 0);
        return mayTry ? ReplicaHealth.Up : ReplicaHealth.Suspended;
    }

    public void OnSent()
    {
        if (_openedAt is not null)
        {
            _isTrying = true;
        }
    }

    public void OnSuccess()
    {
        _faultsInARow = 0;
        _openedAt = null;
        _isTrying = false;
    }

    public void OnFault()
    {
        _faultsInARow++;
        if (_isTrying || _faultsInARow >= Limits.FailuresToOpen)
        {
            Open();
        }
    }

    /// <summary>The replica is suspended without further counting.</summary>
    public void Open()
    {
        _openedAt = time.GetTimestamp();
        _isTrying = false;
        Volatile.Write(ref _mayPause, true);
    }

    public void OnAbandoned() => _isTrying = false;

    /// <summary>A pause already running is never shortened.</summary>
    public void BackOff(TimeSpan duration)
    {
        if (_backOffFrom is { } from && _backOff - time.GetElapsedTime(from) >= duration)
        {
            return;
        }
        _backOffFrom = time.GetTimestamp();
        _backOff = duration;
        Volatile.Write(ref _mayPause, true);
    }

    /// <param name="asOf">Timestamp from which the time counts; null: now.</param>
    public TimeSpan? TimeUntilRetry(long? asOf = null)
    {
        TimeSpan? left = null;
        var now = asOf ?? time.GetTimestamp();
        if (_openedAt is { } openedAt)
        {
            left = Limits.OpenDuration - time.GetElapsedTime(openedAt, now);
        }
        if (_backOffFrom is { } from && _backOff - time.GetElapsedTime(from, now) is var pause && pause > (left ?? TimeSpan.Zero))
        {
            left = pause;
        }
        var remains = left is { } value && value > TimeSpan.Zero;
        Volatile.Write(ref _mayPause, remains);
        return remains ? left : null;
    }
}
