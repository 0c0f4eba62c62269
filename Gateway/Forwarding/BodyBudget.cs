namespace Gateway.Forwarding;

/// <summary>Memory for request bodies, all requests together. Thread-safe; never given out beyond its limit.</summary>
/// <remarks>Several bodies of one tenant hold no more than they leave free, so that uploads that it never ends shut nobody else out. A single one may have all: else the
/// largest allowed would never find room.</remarks>
/// <param name="limitBytes">Most that is given out at once.</param>
public sealed class BodyBudget(long limitBytes)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<ulong, long> _heldBy = [];
    private long _taken;

    /// <summary>Bytes given out.</summary>
    internal long TakenBytes
    {
        get { lock (_gate) { return _taken; } }
    }

    /// <summary>What the bodies of a tenant take from.</summary>
    /// <param name="tenant">Its key; 0: whoever belongs to none, and is bounded by the limit alone.</param>
    public BodyShare For(ulong tenant) => new(this, tenant);

    internal bool TryTake(ulong tenant, long bytes, long ownBytes)
    {
        lock (_gate)
        {
            var free = limitBytes - _taken - bytes;
            var held = _heldBy.GetValueOrDefault(tenant);
            if (free < 0 || (tenant != 0 && held > ownBytes && held + bytes > free))
            {
                return false;
            }
            _taken += bytes;
            _heldBy[tenant] = held + bytes;
            return true;
        }
    }

    internal void Return(ulong tenant, long bytes)
    {
        lock (_gate)
        {
            _taken -= bytes;
            var left = _heldBy.GetValueOrDefault(tenant) - bytes;
            if (left > 0)
            {
                _heldBy[tenant] = left;
            }
            else
            {
                _heldBy.Remove(tenant);
            }
        }
    }
}

/// <summary>A tenant's part of the memory for request bodies.</summary>
/// <param name="Budget">The memory of all.</param>
/// <param name="Tenant">Its key; 0: none.</param>
public readonly record struct BodyShare(BodyBudget Budget, ulong Tenant)
{
    /// <summary>Takes memory for a body, or nothing where there is too little.</summary>
    /// <param name="bytes">How much more.</param>
    /// <param name="ownBytes">What the same body has taken before.</param>
    public bool TryTake(long bytes, long ownBytes) => Budget.TryTake(Tenant, bytes, ownBytes);

    public void Return(long bytes) => Budget.Return(Tenant, bytes);
}
