namespace Gateway.Estimation.Learned;

/// <summary>How often each prompt was answered, of the newest ones: bounded, the newer of two in one slot stays. Used by one thread.</summary>
internal sealed class PromptCounts
{
    private const int SlotBits = 16;
    private const uint MostCount = 255;

    // The rest of the hash above, the count in the lowest byte.
    private readonly uint[] _slots = new uint[1 << SlotBits];

    /// <summary>Counts a prompt.</summary>
    /// <returns>How often it was counted before; at most 255.</returns>
    public int Take(uint hash)
    {
        ref var slot = ref _slots[hash >> (32 - SlotBits)];
        var mark = hash << SlotBits;
        slot = (slot & ~MostCount) == (mark & ~MostCount) ? slot : mark & ~MostCount;
        var before = slot & MostCount;
        slot += before < MostCount ? 1u : 0;
        return (int)before;
    }
}
