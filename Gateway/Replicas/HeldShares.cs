namespace Gateway.Replicas;

/// <summary>How much of a pool a request takes while it is in flight, 0 to 1 each.</summary>
/// <param name="Room">Of its KV room or slots, whichever is scarcer.</param>
/// <param name="Prefill">Of its engines' time, for the prompt.</param>
public readonly record struct PoolShares(double Room, double Prefill)
{
    /// <summary>Whether it takes anything.</summary>
    public bool IsAny => Room > 0 || Prefill > 0;

    /// <summary>Of each the smaller.</summary>
    public static PoolShares Min(in PoolShares one, in PoolShares other) => new(Math.Min(one.Room, other.Room), Math.Min(one.Prefill, other.Prefill));

    /// <summary>Of each the larger.</summary>
    public static PoolShares Max(in PoolShares one, in PoolShares other) => new(Math.Max(one.Room, other.Room), Math.Max(one.Prefill, other.Prefill));

    /// <summary>Both together.</summary>
    public static PoolShares operator +(in PoolShares one, in PoolShares other) => new(one.Room + other.Room, one.Prefill + other.Prefill);

    /// <summary>One without the other.</summary>
    public static PoolShares operator -(in PoolShares one, in PoolShares other) => new(one.Room - other.Room, one.Prefill - other.Prefill);
}

/// <summary>How much of a pool one client's requests in flight hold. Thread-safe.</summary>
public sealed class HeldShares
{
    // Kept as whole numbers, so that what was added and taken away sums to exactly zero, in whatever order.
    private const double Parts = 1e12;

    private long _room;
    private long _prefill;

    /// <summary>Share of the pool's room, 0 to about 1.</summary>
    public double Room => Volatile.Read(ref _room) / Parts;

    /// <summary>Share of its engines' time that goes into the prompts, 0 and more: beyond 1, more is in flight than they can do.</summary>
    public double Prefill => Volatile.Read(ref _prefill) / Parts;

    /// <summary>Both.</summary>
    public PoolShares Shares => new(Room, Prefill);

    /// <summary>One request more.</summary>
    public void Add(in PoolShares shares)
    {
        Interlocked.Add(ref _room, (long)(shares.Room * Parts));
        Interlocked.Add(ref _prefill, (long)(shares.Prefill * Parts));
    }

    /// <summary>One request fewer.</summary>
    public void Remove(in PoolShares shares) => Add(new PoolShares() - shares);
}
