namespace Gateway.Routing;

/// <summary>The holdings of each slot in the order of their use: one linked list per slot, through the entries. Used by one <see cref="HolderTable"/>.</summary>
internal sealed class RecencyLists
{
    private const int None = -1;

    private Slot[] _slots = [];
    private int _busySlots;
    private int _hand;

    /// <summary>Holdings in all lists.</summary>
    public int Count { get; private set; }

    /// <summary>Slots that have a list, empty ones included.</summary>
    public int Slots => _slots.Length;

    public void WidenTo(int slots)
    {
        var known = _slots.Length;
        Array.Resize(ref _slots, slots);
        _slots.AsSpan(known).Fill(new Slot { Newest = None, Oldest = None });
    }

    /// <summary>Forgets all lists.</summary>
    /// <returns>The oldest entry of each; from there the entries still lead to the newer ones.</returns>
    public int[] Clear()
    {
        var oldest = Array.ConvertAll(_slots, static slot => slot.Oldest);
        (_slots, _busySlots, Count) = ([], 0, 0);
        return oldest;
    }

    /// <summary>Tokens of all that a slot holds.</summary>
    public long TokensOf(int slot) => slot < _slots.Length ? _slots[slot].Tokens : 0;

    /// <summary>What a slot used least recently; −1: it holds nothing.</summary>
    public int OldestOf(int slot) => slot < _slots.Length ? _slots[slot].Oldest : None;

    /// <summary>The same where that was before a moment, else −1.</summary>
    public int OldestBefore(int slot, long moment) => slot < _slots.Length && _slots[slot].OldestAt < moment ? _slots[slot].Oldest : None;

    /// <summary>The oldest holding of a slot that has no less than the mean; the slots take turns. Something is held.</summary>
    public int Surplus()
    {
        // Found after at most one round, since the mean of what a round counts is the mean.
        var share = Count / Math.Max(1, _busySlots);
        do
        {
            _hand = (_hand + 1) % _slots.Length;
        }
        while (_slots[_hand].Count == 0 || _slots[_hand].Count < share);
        return _slots[_hand].Oldest;
    }

    /// <summary>Makes a holding the newest of its slot.</summary>
    public void Add(int entry, Holding[] entries)
    {
        ref var slot = ref _slots[entries[entry].Slot];
        (entries[entry].Newer, entries[entry].Older) = (None, slot.Newest);
        if (slot.Count++ == 0)
        {
            (slot.Oldest, slot.OldestAt) = (entry, entries[entry].UsedAt);
            _busySlots++;
        }
        else
        {
            entries[slot.Newest].Newer = entry;
        }
        slot.Newest = entry;
        slot.Tokens += entries[entry].Tokens;
        Count++;
    }

    public void Remove(int entry, Holding[] entries)
    {
        ref var slot = ref _slots[entries[entry].Slot];
        var (newer, older) = (entries[entry].Newer, entries[entry].Older);
        slot.Tokens -= entries[entry].Tokens;
        if (newer == None)
        {
            slot.Newest = older;
        }
        else
        {
            entries[newer].Older = older;
        }
        if (older == None)
        {
            (slot.Oldest, slot.OldestAt) = (newer, newer == None ? 0 : entries[newer].UsedAt);
        }
        else
        {
            entries[older].Newer = newer;
        }
        if (--slot.Count == 0)
        {
            _busySlots--;
        }
        Count--;
    }

    private struct Slot
    {
        public int Newest;
        public int Oldest;
        public int Count;
        public long Tokens;

        // Beside the slot, so that asking every slot of a fleet for what is too old looks at no entry.
        public long OldestAt;
    }
}
