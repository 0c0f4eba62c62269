namespace Gateway.Routing;

/// <summary>From a key to its holdings: a short chain, or for keys that many slots hold, such as a system prompt, a bit set. Used by one <see cref="HolderTable"/>.</summary>
internal sealed class KeyDirectory
{
    private const int None = -1;
    private const int SlotsPerWord = 64;

    private const int ShortestSet = 8;

    private Place[] _places = Place.NewTable(0);
    private ulong[] _setKeys = [];
    private int[] _setCounts = [];
    private ulong[] _sets = [];
    private ulong[] _chain = new ulong[1];
    private int _words = 1;
    private int _usedSets;
    private int _freeSet = None;

    public long Bytes => (4L * _setCounts.Length) + (8L * (_places.Length + _setKeys.Length + _sets.Length));

    /// <summary>At most: its share of a place, and of a set twice as long as used, which has more than <see cref="LongestChain"/> holdings when it is made.</summary>
    public double BytesPerHolding => 12 + (2 * (12 + (8.0 * _words)) / LongestChain);

    /// <summary>Makes room and forgets all chains; sets too. The owner adds everything anew.</summary>
    public void Allocate(int capacity)
    {
        _places = Place.NewTable(capacity);
        (_setKeys, _setCounts, _sets, _usedSets, _freeSet) = ([], [], [], 0, None);
    }

    public void WidenTo(int slots)
    {
        var words = ((slots - 1) / SlotsPerWord) + 1;
        if (words <= _words)
        {
            return;
        }
        var wider = new ulong[_setKeys.Length * words];
        for (var set = 0; set < _usedSets; set++)
        {
            _sets.AsSpan(set * _words, _words).CopyTo(wider.AsSpan(set * words));
        }
        (_sets, _chain, _words) = (wider, new ulong[words], words);
    }

    /// <summary>Takes in a holding that is not known yet.</summary>
    public void Add(int entry, Holding[] entries)
    {
        var found = Find(entries[entry].Key, entries, out var place);
        if (found < None)
        {
            Include(SetOf(found), entries[entry].Slot);
            return;
        }
        entries[entry].NextHolder = found;
        var named = LengthOf(entry, entries) > LongestChain ? MakeSet(entry, entries) : entry;
        _places[place] = new Place { Hash = HashOf(entries[entry].Key), Named = named };
    }

    public void Remove(int entry, Holding[] entries)
    {
        var found = Find(entries[entry].Key, entries, out var place);
        if (found < None)
        {
            var set = SetOf(found);
            _sets[(set * _words) + (entries[entry].Slot / SlotsPerWord)] &= ~(1UL << (entries[entry].Slot % SlotsPerWord));
            if (--_setCounts[set] == 0)
            {
                Place.Vacate(_places, place);
                (_setCounts[set], _freeSet) = (_freeSet, set);
            }
            return;
        }
        if (found != entry)
        {
            var before = found;
            while (entries[before].NextHolder != entry)
            {
                before = entries[before].NextHolder;
            }
            entries[before].NextHolder = entries[entry].NextHolder;
        }
        else if (entries[entry].NextHolder != None)
        {
            _places[place].Named = entries[entry].NextHolder;
        }
        else
        {
            Place.Vacate(_places, place);
        }
    }

    /// <summary>Words of a set of slots.</summary>
    public int Words => _words;

    // A chain is one look into memory per holder that waits for the one before, a set one per 64 slots; but a set of a large fleet takes as much memory as several holdings.
    private int LongestChain => Math.Max(ShortestSet, 2 * _words);

    /// <summary>Finds several keys. The looks into memory do not wait for each other, as those of one search after another would.</summary>
    /// <param name="keys">The keys.</param>
    /// <param name="entries">All holdings.</param>
    /// <param name="found">Receives the first holding of each key's chain; negative: it has none.</param>
    public void Find(ReadOnlySpan<ulong> keys, Holding[] entries, Span<int> found)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            found[i] = _places[Place.Home(HashOf(keys[i]), _places.Length)].Named;
        }
        for (var i = 0; i < keys.Length; i++)
        {
            found[i] = found[i] > None && entries[found[i]].Key != keys[i] ? Find(keys[i], entries, out _) : found[i];
        }
    }

    /// <summary>Leaves of a set of slots those that hold a key.</summary>
    /// <returns>Whether any is left.</returns>
    public bool Narrow(ulong key, Span<ulong> slots, Holding[] entries)
    {
        var found = Find(key, entries, out _);
        var holders = found < None ? _sets.AsSpan(SetOf(found) * _words, _words) : SetOfChain(found, entries);
        var left = 0UL;
        for (var word = 0; word < holders.Length; word++)
        {
            left |= slots[word] &= holders[word];
        }
        return left != 0;
    }

    /// <summary>The first holding of a key's chain; −1: it has none.</summary>
    public int FirstOf(ulong key, Holding[] entries) => Math.Max(None, Find(key, entries, out _));

    /// <summary>A holder that is not a given slot; null: none.</summary>
    public int? OtherThan(ulong key, int slot, Holding[] entries)
    {
        var found = Find(key, entries, out _);
        for (var entry = found; entry > None; entry = entries[entry].NextHolder)
        {
            if (entries[entry].Slot != slot)
            {
                return entries[entry].Slot;
            }
        }
        for (var word = 0; found < None && word < _words; word++)
        {
            for (var left = _sets[(SetOf(found) * _words) + word]; left != 0; left &= left - 1)
            {
                var holder = (word * SlotsPerWord) + System.Numerics.BitOperations.TrailingZeroCount(left);
                if (holder != slot)
                {
                    return holder;
                }
            }
        }
        return null;
    }

    // Valid until the next call.
    private Span<ulong> SetOfChain(int first, Holding[] entries)
    {
        Array.Clear(_chain);
        for (var entry = first; entry > None; entry = entries[entry].NextHolder)
        {
            _chain[entries[entry].Slot / SlotsPerWord] |= 1UL << (entries[entry].Slot % SlotsPerWord);
        }
        return _chain;
    }

    // What a place names: the first holding of a chain, none, or below that a set.
    private int Find(ulong key, Holding[] entries, out int place)
    {
        var hash = HashOf(key);
        place = Place.Home(hash, _places.Length);
        for (; _places[place] is { Named: not None } at; place = Place.After(place, _places.Length))
        {
            if (at.Hash == hash && KeyOf(at.Named, entries) == key)
            {
                return at.Named;
            }
        }
        return None;
    }

    private int MakeSet(int head, Holding[] entries)
    {
        if (_freeSet == None && _usedSets == _setKeys.Length)
        {
            var sets = Math.Max(16, 2 * _setKeys.Length);
            Array.Resize(ref _setKeys, sets);
            Array.Resize(ref _setCounts, sets);
            Array.Resize(ref _sets, sets * _words);
        }
        var set = _freeSet != None ? _freeSet : _usedSets++;
        _freeSet = set == _freeSet ? _setCounts[set] : _freeSet;
        (_setKeys[set], _setCounts[set]) = (entries[head].Key, 0);
        _sets.AsSpan(set * _words, _words).Clear();
        for (var entry = head; entry != None; entry = entries[entry].NextHolder)
        {
            Include(set, entries[entry].Slot);
        }
        return None - 1 - set;
    }

    private void Include(int set, int slot)
    {
        _sets[(set * _words) + (slot / SlotsPerWord)] |= 1UL << (slot % SlotsPerWord);
        _setCounts[set]++;
    }

    private static int LengthOf(int entry, Holding[] entries)
    {
        var length = 0;
        for (; entry != None; entry = entries[entry].NextHolder)
        {
            length++;
        }
        return length;
    }

    private ulong KeyOf(int found, Holding[] entries) => found < None ? _setKeys[SetOf(found)] : entries[found].Key;

    private static int SetOf(int found) => None - 1 - found;

    private static uint HashOf(ulong key) => (uint)((key * 0xD6E8FEB86659FD93UL) >> 32);
}
