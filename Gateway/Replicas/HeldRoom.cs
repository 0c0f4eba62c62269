namespace Gateway.Replicas;

/// <summary>How much of a pool's room one client's requests in flight hold. Thread-safe.</summary>
public sealed class HeldRoom
{
    // Kept as whole numbers, so that what was added and taken away sums to exactly zero, in whatever order.
    private const double Parts = 1e12;

    private long _parts;

    /// <summary>Share of the pool's room, 0 to about 1.</summary>
    public double Share => Volatile.Read(ref _parts) / Parts;

    /// <summary>More is held, or less.</summary>
    public void Add(double share) => Interlocked.Add(ref _parts, Math.Sign(share) * (long)(Math.Abs(share) * Parts));
}
