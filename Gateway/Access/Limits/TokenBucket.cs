namespace Gateway.Access.Limits;

/// <summary>An allowance that grows evenly up to one minute's worth. Its level may sink below 0: a debt that time pays off. Guarded by its owner's lock.</summary>
internal struct TokenBucket
{
    private double _level;
    private long _refilledAt;
    private bool _isKnown;

    /// <summary>What is there; below 0 after more was used than had been expected.</summary>
    public readonly double Level => _level;

    /// <summary>The same; null: nothing is limited.</summary>
    public readonly double? KnownLevel => _isKnown ? _level : null;

    /// <summary>Brings the level up to now. The first time it is full.</summary>
    public void Refill(long perMinute, TimeProvider time)
    {
        var now = time.GetTimestamp();
        _level = _isKnown ? Math.Min(perMinute, _level + (perMinute * time.GetElapsedTime(_refilledAt, now).TotalMinutes)) : perMinute;
        (_refilledAt, _isKnown) = (now, true);
    }

    /// <summary>Takes, or gives back where the amount is below 0.</summary>
    public void Take(double amount) => _level -= amount;

    /// <summary>Takes over a lower level, as somebody else believes it to be.</summary>
    public void LowerTo(double level) => _level = Math.Min(_level, level);

    /// <summary>Time until so much is there. An amount above the whole allowance may be taken from a full bucket, which leaves a debt: otherwise it could never be taken.</summary>
    public readonly TimeSpan Until(double amount, long perMinute)
    {
        var missing = Math.Min(amount, perMinute) - _level;
        return missing <= 0 ? TimeSpan.Zero : TimeSpan.FromMinutes(missing / perMinute);
    }

    public readonly LimitState State(long perMinute) =>
        new(perMinute, (long)Math.Clamp(Math.Floor(_level), 0, perMinute), Until(perMinute, perMinute));
}
