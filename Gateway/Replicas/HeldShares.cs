namespace Gateway.Replicas;

/// <summary>How much of a pool a request takes while it is in flight, 0 to 1 each.</summary>
/// <param name="Room">Of its KV room or slots, whichever is scarcer.</param>
/// <param name="Prefill">Of its engines' time, for the prompt.</param>
public readonly record struct PoolShares(double Room, double Prefill);

/// <summary>How much of a pool one client's requests in flight hold. Thread-safe.</summary>
public sealed class HeldShares
{
    // Kept as whole numbers, so that what was added and taken away sums to exactly zero, in whatever order.
    private const double Parts = 1e12;

    private long _room;
    private long _prefill;

    /// <summary>Share of the pool's room, 0 to about 1.</summary>
    public double Room => Volatile.Read(ref _room) / Parts;

    /// <summary>Share of its engines' time that goes into the prompts, 0 to about 1: more is in flight than they can do.</summary>
    public double Prefill => Volatile.Read(ref _prefill) / Parts;

    /// <summary>One request more.</summary>
    public void Add(in PoolShares shares)
    {
        Interlocked.Add(ref _room, (long)(shares.Room * Parts));
        Interlocked.Add(ref _prefill, (long)(shares.Prefill * Parts));
    }

    /// <summary>One request fewer.</summary>
    public void Remove(in PoolShares shares)
    {
        Interlocked.Add(ref _room, -(long)(shares.Room * Parts));
        Interlocked.Add(ref _prefill, -(long)(shares.Prefill * Parts));
    }
}
