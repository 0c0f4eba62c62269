namespace Gateway.Replicas;

/// <summary>When failures suspend a replica.</summary>
/// <param name="FailuresToOpen">Server faults in a row.</param>
/// <param name="OpenDuration">How long it then gets no work, before one request tries it.</param>
public sealed record FaultLimits(int FailuresToOpen, TimeSpan OpenDuration);

/// <summary>The circuit breaker of one replica: counts server faults in a row, never client errors or departures. Guarded by its replica's lock.</summary>
internal sealed class FaultGate(FaultLimits limits, TimeProvider time)
{
    private bool _isTrying;
    private long? _openedAt;
    private long? _backOffFrom;
    private TimeSpan _backOff;
    private bool _mayPause;
    private DateTimeOffset _suspendedSince;
    private DateTimeOffset _backingOffSince;
    private DateTimeOffset _upSince;

    /// <summary>Why it was suspended last, for people; empty: it never was.</summary>
    public string Why { get; private set; } = "";

    /// <summary>Server faults since the last success.</summary>
    public int FaultsInARow { get; private set; }

    /// <summary>The same, for people.</summary>
    public string CountInWords => FaultsInARow == 1 ? "1 fault" : FormattableString.Invariant($"{FaultsInARow} faults in a row");

    /// <summary>Whether it is suspended, or on trial after that.</summary>
    public bool IsOpen => _openedAt is not null;

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
        FaultsInARow = 0;
        _upSince = _openedAt is null ? _upSince : time.GetUtcNow();
        _openedAt = null;
        _isTrying = false;
    }

    /// <param name="isLast">Whether no other replica takes work: then no pause begins, which would refuse everybody and lose what still succeeds.</param>
    /// <returns>Whether the replica is suspended by it, and was not before.</returns>
    public bool OnFault(bool isLast)
    {
        FaultsInARow++;
        if (isLast && _openedAt is null)
        {
            return false;
        }
        return (_isTrying || FaultsInARow >= Limits.FailuresToOpen)
            && Open(CountInWords);
    }

    /// <summary>The replica is suspended without further counting.</summary>
    /// <param name="why">For people.</param>
    /// <returns>Whether it was not suspended before.</returns>
    public bool Open(string why)
    {
        var isPausing = _openedAt is { } openedAt && time.GetElapsedTime(openedAt) < Limits.OpenDuration;
        if (!isPausing)
        {
            (Why, _suspendedSince) = (why, time.GetUtcNow());
        }
        _openedAt = time.GetTimestamp();
        _isTrying = false;
        Volatile.Write(ref _mayPause, true);
        _upSince = time.GetUtcNow() + Limits.OpenDuration;
        return !isPausing;
    }

    /// <summary>Why and since when the gate says so; no reason where it lets work in.</summary>
    public (string? Reason, DateTimeOffset Since) Account(ReplicaHealth verdict) => verdict switch
    {
        ReplicaHealth.Suspended => (Why, _suspendedSince),
        ReplicaHealth.BackingOff => ("asked to back off", _backingOffSince),
        _ => (null, _upSince),
    };

    public void OnAbandoned() => _isTrying = false;

    /// <summary>A pause already running is never shortened.</summary>
    public void BackOff(TimeSpan duration)
    {
        if (_backOffFrom is { } from && _backOff - time.GetElapsedTime(from) >= duration)
        {
            return;
        }
        if (_backOffFrom is not { } before || time.GetElapsedTime(before) >= _backOff)
        {
            _backingOffSince = time.GetUtcNow();
        }
        _backOffFrom = time.GetTimestamp();
        _upSince = time.GetUtcNow() + duration;
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
