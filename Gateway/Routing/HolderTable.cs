using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Gateway.Routing;

/// <summary>Which slot holds which key, with the order of use of each slot: what a slot used least recently leaves it first. Bounded in bytes; not thread-safe.</summary>
/// <remarks>A holding is one entry of an array, found by key and slot, linked into its slot's order of use (<see cref="RecencyLists"/>), and known to the
/// <see cref="KeyDirectory"/> of its key: about 60 bytes, and nothing for the collector to walk. When the memory is full, a slot that has no less than its share gives up its oldest.</remarks>
public sealed class HolderTable
{
    /// <summary>Keys that are fetched together: enough to keep a processor's looks into memory busy, and few enough to be wasted at the end of a walk.</summary>
    public const int FetchedAtOnce = 32;

    private const int None = -1;
    private const int FirstCapacity = 1024;
    private const int MostEntries = 1 << 29;

    private readonly KeyDirectory _directory = new();
    private readonly RecencyLists _recency = new();
    private long _maxBytes;
    private Holding[] _entries;
    private Place[] _places;
    private int _used;
    private int _free = None;

    /// <param name="maxBytes">Memory it may take.</param>
    public HolderTable(long maxBytes)
    {
        _maxBytes = maxBytes;
        Allocate((int)Math.Min(FirstCapacity, MaxCount));
    }

    /// <summary>Holdings: a key that three slots hold counts three times.</summary>
    public int Count => _recency.Count;

    /// <summary>Memory it may take; when it becomes less, the oldest holdings go.</summary>
    public long MaxBytes
    {
        get => _maxBytes;
        set
        {
            _maxBytes = value;
            if (_entries.Length > MaxCount)
            {
                Shrink();
            }
        }
    }

    /// <summary>Memory its arrays take.</summary>
    internal long Bytes => ((long)_entries.Length * Marshal.SizeOf<Holding>()) + (8L * _places.Length) + _directory.Bytes;

    private long MaxCount => Math.Clamp((long)(_maxBytes / (Marshal.SizeOf<Holding>() + 12 + _directory.BytesPerHolding)), 64, MostEntries);

    /// <summary>Notes that a slot holds a key now.</summary>
    /// <param name="key">What it holds.</param>
    /// <param name="slot">Who; at most 65,535.</param>
    /// <param name="tokens">How much of the slot's room that takes.</param>
    /// <param name="now">When it was used.</param>
    /// <returns>When it was used there before; null: the slot did not hold it.</returns>
    public long? Touch(ulong key, int slot, int tokens, long now)
    {
        // Most keys have one holder, which the directory names: who has just been looked for is not looked up a second time.
        var entry = _directory.FirstOf(key, _entries) is not None and var first && _entries[first].Slot == slot ? first : Find(key, slot, out _);
        long? before = null;
        if (entry != None)
        {
            before = _entries[entry].UsedAt;
            _recency.Remove(entry, _entries);
        }
        else
        {
            entry = Append(key, slot);
        }
        _entries[entry].UsedAt = now;
        _entries[entry].Tokens = (ushort)Math.Clamp(tokens, 0, ushort.MaxValue);
        _recency.Add(entry, _entries);
        return before;
    }

    /// <summary>Notes that a slot alone holds a key.</summary>
    public void Set(ulong key, int slot, long now)
    {
        while (_directory.OtherThan(key, slot, _entries) is { } other)
        {
            Remove(Find(key, other, out _));
        }
        Touch(key, slot, 0, now);
    }

    /// <summary>Leaves of a set of slots those that hold a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="slots">One bit per slot, the first in the lowest; <see cref="SlotWords"/> long.</param>
    /// <returns>Whether any is left.</returns>
    public bool Narrow(ulong key, Span<ulong> slots) => _directory.Narrow(key, slots, _entries);

    /// <summary>Brings into the processor's cache what <see cref="Narrow"/> looks at, for keys that are asked for one after another: in a large table most of a search is waiting for memory.</summary>
    /// <param name="keys">At most <see cref="FetchedAtOnce"/>.</param>
    public void Fetch(ReadOnlySpan<ulong> keys)
    {
        Span<int> found = stackalloc int[FetchedAtOnce];
        _directory.Find(keys, _entries, found);
    }

    /// <summary>The same for <see cref="Touch"/>.</summary>
    /// <param name="keys">At most <see cref="FetchedAtOnce"/>.</param>
    /// <param name="slot">The slot that they are noted for.</param>
    public void Fetch(ReadOnlySpan<ulong> keys, int slot)
    {
        Span<int> found = stackalloc int[FetchedAtOnce];
        _directory.Find(keys, _entries, found);
        FetchHoldings(keys, slot, found);
    }

    /// <summary>Words of a set of slots.</summary>
    public int SlotWords => _directory.Words;

    /// <summary>A slot that holds a key; null: nobody.</summary>
    public int? AnyHolder(ulong key) => _directory.OtherThan(key, None, _entries);

    /// <summary>When a slot last used a key; null: it does not hold it.</summary>
    public long? UsedAt(ulong key, int slot) => Find(key, slot, out _) is not None and var entry ? _entries[entry].UsedAt : null;

    /// <summary>One more than the highest slot that ever held anything.</summary>
    public int Slots => _recency.Slots;

    /// <summary>Tokens of all that a slot holds.</summary>
    public long TokensOf(int slot) => _recency.TokensOf(slot);

    /// <summary>When a slot last used what it used least recently; null: it holds nothing.</summary>
    public long? OldestAt(int slot) => _recency.OldestOf(slot) is not None and var oldest ? _entries[oldest].UsedAt : null;

    /// <summary>Lets a slot forget what it used least recently until the rest is no more than so many tokens.</summary>
    public void Trim(int slot, long tokens)
    {
        for (var removed = 0; _recency.TokensOf(slot) > tokens && _recency.OldestOf(slot) is not None and var oldest; removed++)
        {
            if (removed % FetchedAtOnce == 0)
            {
                FetchOldest(slot);
            }
            Remove(oldest);
        }
    }

    /// <summary>Lets a slot forget what it last used before a moment.</summary>
    /// <returns>Whether there was any.</returns>
    public bool Expire(int slot, long notBefore)
    {
        var isAny = false;
        while (_recency.OldestBefore(slot, notBefore) is not None and var oldest)
        {
            Remove(oldest);
            isAny = true;
        }
        return isAny;
    }

    /// <summary>Forgets a slot's holdings, before the slot is given to another replica.</summary>
    public void Forget(int slot) => Expire(slot, long.MaxValue);

    private void FetchOldest(int slot)
    {
        Span<ulong> keys = stackalloc ulong[FetchedAtOnce];
        var count = 0;
        for (var entry = _recency.OldestOf(slot); entry != None && count < FetchedAtOnce; entry = _entries[entry].Newer)
        {
            keys[count++] = _entries[entry].Key;
        }
        Span<int> found = stackalloc int[FetchedAtOnce];
        _directory.Find(keys[..count], _entries, found);
        found.Fill(None);
        FetchHoldings(keys[..count], slot, found);
    }

    // Of keys of which no holding was found yet.
    private void FetchHoldings(ReadOnlySpan<ulong> keys, int slot, Span<int> found)
    {
        for (var i = 0; i < keys.Length; i++)
        {
            found[i] = found[i] > None ? None : _places[Place.Home(HashOf(keys[i], slot), _places.Length)].Named;
        }
        for (var i = 0; i < keys.Length; i++)
        {
            found[i] = found[i] > None ? _entries[found[i]].Older : None;
        }
    }

    private int Append(ulong key, int slot)
    {
        if (slot >= _recency.Slots)
        {
            WidenTo(slot);
        }
        while (Count >= MaxCount)
        {
            Remove(_recency.Surplus());
        }
        if (_free == None && _used == _entries.Length)
        {
            Allocate((int)Math.Min(2L * _entries.Length, MaxCount));
        }
        var entry = _free != None ? _free : _used++;
        _free = entry == _free ? _entries[entry].Newer : _free;
        _entries[entry] = new Holding { Key = key, Slot = (ushort)slot };
        Find(key, slot, out var place);
        _places[place] = new Place { Hash = HashOf(key, slot), Named = entry };
        _directory.Add(entry, _entries);
        return entry;
    }

    private void Remove(int entry)
    {
        _directory.Remove(entry, _entries);
        Find(_entries[entry].Key, _entries[entry].Slot, out var place);
        Place.Vacate(_places, place);
        _recency.Remove(entry, _entries);
        (_entries[entry].Newer, _free) = (_free, entry);
    }

    private int Find(ulong key, int slot, out int place)
    {
        var hash = HashOf(key, slot);
        place = Place.Home(hash, _places.Length);
        for (; _places[place] is { Named: not None } at; place = Place.After(place, _places.Length))
        {
            if (at.Hash == hash && _entries[at.Named].Key == key && _entries[at.Named].Slot == slot)
            {
                return at.Named;
            }
        }
        return None;
    }

    private void WidenTo(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(slot, ushort.MaxValue);
        _recency.WidenTo(slot + 1);
        _directory.WidenTo(slot + 1);
    }

    [MemberNotNull(nameof(_entries), nameof(_places))]
    private void Allocate(int capacity)
    {
        Array.Resize(ref _entries, capacity);
        _places = Place.NewTable(capacity);
        _directory.Allocate(capacity);
        for (var entry = 0; entry < _used; entry++)
        {
            Find(_entries[entry].Key, _entries[entry].Slot, out var place);
            _places[place] = new Place { Hash = HashOf(_entries[entry].Key, _entries[entry].Slot), Named = entry };
            _directory.Add(entry, _entries);
        }
    }

    // Everything is put in anew, the oldest first, so that what does not fit any more is the oldest.
    private void Shrink()
    {
        var entries = _entries;
        var oldest = _recency.Clear();
        (_entries, _used, _free) = ([], 0, None);
        Allocate((int)Math.Min(FirstCapacity, MaxCount));
        for (var slot = 0; slot < oldest.Length; slot++)
        {
            for (var entry = oldest[slot]; entry != None; entry = entries[entry].Newer)
            {
                Touch(entries[entry].Key, slot, entries[entry].Tokens, entries[entry].UsedAt);
            }
        }
    }

    // The keys are keyed hashes already; the multiplications spread what a caller may have left regular.
    private static uint HashOf(ulong key, int slot) => (uint)(((key + ((ulong)slot * 0xC2B2AE3D27D4EB4FUL)) * 0x9E3779B97F4A7C15UL) >> 32);
}
