namespace Gateway.Forwarding;

/// <summary>Memory for request bodies, all requests together. Thread-safe; never given out beyond its limit.</summary>
/// <param name="limitBytes">Most that is given out at once.</param>
public sealed class BodyBudget(long limitBytes)
{
    private long _taken;

    /// <summary>Bytes given out.</summary>
    public long TakenBytes => Interlocked.Read(ref _taken);

    /// <summary>Takes memory, or nothing where there is too little.</summary>
    public bool TryTake(long bytes)
    {
        if (Interlocked.Add(ref _taken, bytes) <= limitBytes)
        {
            return true;
        }
        Interlocked.Add(ref _taken, -bytes);
        return false;
    }

    public void Return(long bytes) => Interlocked.Add(ref _taken, -bytes);
}
