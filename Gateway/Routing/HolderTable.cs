using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Gateway.Routing;

/// <summary>Which replicas hold what: 64-bit keys to sets of replica slots, bounded, the least recently used key goes first. Not thread-safe.</summary>
/// <remarks>Open addressing over parallel arrays, an intrusive list for the order of use: 44 bytes per key and up to 64 slots, 8 for every 64
/// more, and nothing for the collector to walk. Grows by doubling up to its bound.</remarks>
public sealed class HolderTable
{
    private const int None = -1;
    private const int SlotsPerWord = 64;

    private const int MostWords = 1 << 28;

    private readonly long _maxBytes;
    private int _maxKeys;
    private int[] _buckets;
    private ulong[] _keys;
    private ulong[] _holders;
    private long[] _usedAt;
    private int[] _newer;
    private int[] _older;
    private int _words;
    private int _newest = None;
    private int _oldest = None;

    /// <param name="maxBytes">Memory it may take.</param>
    public HolderTable(long maxBytes)
    {
        _maxBytes = maxBytes;
        Allocate(1024, words: 1);
    }

    /// <summary>Keys held.</summary>
    public int Count { get; private set; }

    /// <summary>Memory its arrays take.</summary>
    internal long Bytes => (4L * (_buckets.Length + _newer.Length + _older.Length)) + (8L * (_keys.Length + _usedAt.Length + _holders.Length));

    /// <summary>Words of 64 slots in a set of holders.</summary>
    public int Words => _words;

    /// <summary>The holders of a key, as a bit set over slots; empty when the key is unknown or was last used before <paramref name="notBefore"/>.</summary>
    public ReadOnlySpan<ulong> Holders(ulong key, long notBefore)
    {
        var entry = Find(key);
        return entry == None || _usedAt[entry] < notBefore ? [] : _holders.AsSpan(entry * _words, _words);
    }

    /// <summary>Notes that a slot holds a key, and that the key was used now; beside those that already do, unless it was last used before <paramref name="notBefore"/>.</summary>
    public void Add(ulong key, int slot, long now, long notBefore) => Touch(key, slot, now, notBefore);

    /// <summary>Notes that a slot alone holds a key.</summary>
    public void Set(ulong key, int slot, long now) => Touch(key, slot, now, long.MaxValue);

    /// <summary>Forgets a slot's holdings, before the slot is given to another replica.</summary>
    public void Forget(int slot)
    {
        if (slot / SlotsPerWord >= _words)
        {
            return;
        }
        var mask = ~(1UL << (slot % SlotsPerWord));
        for (var entry = 0; entry < Count; entry++)
        {
            _holders[(entry * _words) + (slot / SlotsPerWord)] &= mask;
        }
    }

    private void Touch(ulong key, int slot, long now, long notBefore)
    {
        WidenFor(slot);
        var entry = Find(key);
        if (entry == None)
        {
            entry = Count < _maxKeys ? Append(key) : Recycle(key);
        }
        else
        {
            Unlink(entry);
            if (_usedAt[entry] < notBefore)
            {
                _holders.AsSpan(entry * _words, _words).Clear();
            }
        }
        _holders[(entry * _words) + (slot / SlotsPerWord)] |= 1UL << (slot % SlotsPerWord);
        _usedAt[entry] = now;
        LinkNewest(entry);
    }

    private int Append(ulong key)
    {
        if (Count == _keys.Length)
        {
            Grow();
        }
        var entry = Count++;
        _keys[entry] = key;
        _holders.AsSpan(entry * _words, _words).Clear();
        Insert(entry);
        return entry;
    }

    private int Recycle(ulong key)
    {
        var entry = _oldest;
        Unlink(entry);
        RemoveFromBuckets(entry);
        _keys[entry] = key;
        _holders.AsSpan(entry * _words, _words).Clear();
        Insert(entry);
        return entry;
    }

    private int Find(ulong key)
    {
        var mask = _buckets.Length - 1;
        for (var bucket = Home(key, mask); _buckets[bucket] != None; bucket = (bucket + 1) & mask)
        {
            if (_keys[_buckets[bucket]] == key)
            {
                return _buckets[bucket];
            }
        }
        return None;
    }

    private void Insert(int entry)
    {
        var mask = _buckets.Length - 1;
        var bucket = Home(_keys[entry], mask);
        while (_buckets[bucket] != None)
        {
            bucket = (bucket + 1) & mask;
        }
        _buckets[bucket] = entry;
    }

    private void RemoveFromBuckets(int entry)
    {
        var mask = _buckets.Length - 1;
        var hole = Home(_keys[entry], mask);
        while (_buckets[hole] != entry)
        {
            hole = (hole + 1) & mask;
        }
        // Shift back what a search would no longer find behind the hole (Knuth, 6.4, algorithm R).
        for (var next = (hole + 1) & mask; _buckets[next] != None; next = (next + 1) & mask)
        {
            var home = Home(_keys[_buckets[next]], mask);
            if (((next - home) & mask) >= ((next - hole) & mask))
            {
                _buckets[hole] = _buckets[next];
                hole = next;
            }
        }
        _buckets[hole] = None;
    }

    private void Unlink(int entry)
    {
        var (newer, older) = (_newer[entry], _older[entry]);
        if (newer == None)
        {
            _newest = older;
        }
        else
        {
            _older[newer] = older;
        }
        if (older == None)
        {
            _oldest = newer;
        }
        else
        {
            _newer[older] = newer;
        }
    }

    private void LinkNewest(int entry)
    {
        _newer[entry] = None;
        _older[entry] = _newest;
        if (_newest != None)
        {
            _newer[_newest] = entry;
        }
        _newest = entry;
        if (_oldest == None)
        {
            _oldest = entry;
        }
    }

    // Once per 64 replicas: wider sets take more of the memory, so the oldest keys may have to go.
    private void WidenFor(int slot)
    {
        var needed = (slot / SlotsPerWord) + 1;
        if (needed <= _words)
        {
            return;
        }
        var (keys, holders, usedAt, newer, words, count) = (_keys, _holders, _usedAt, _newer, _words, Count);
        var entry = _oldest;
        Allocate(keys.Length, needed);
        for (var left = count; entry != None; entry = newer[entry], left--)
        {
            if (left > _maxKeys)
            {
                continue;
            }
            var copy = Append(keys[entry]);
            holders.AsSpan(entry * words, words).CopyTo(_holders.AsSpan(copy * _words));
            _usedAt[copy] = usedAt[entry];
            LinkNewest(copy);
        }
    }

    [MemberNotNull(nameof(_buckets), nameof(_keys), nameof(_holders), nameof(_usedAt), nameof(_newer), nameof(_older))]
    private void Allocate(int keys, int words)
    {
        // Keys, times and links, the buckets at their sparsest, and the sets.
        var bytesPerKey = 36 + (8L * words);
        _maxKeys = (int)Math.Clamp(_maxBytes / bytesPerKey, 64, MostWords / words);
        _words = words;
        var capacity = Math.Min(keys, _maxKeys);
        _buckets = NewBuckets(capacity);
        _keys = new ulong[capacity];
        _holders = new ulong[capacity * words];
        _usedAt = new long[capacity];
        _newer = new int[capacity];
        _older = new int[capacity];
        (Count, _newest, _oldest) = (0, None, None);
    }

    private void Grow()
    {
        var capacity = (int)Math.Min(2L * _keys.Length, _maxKeys);
        Array.Resize(ref _keys, capacity);
        Array.Resize(ref _holders, capacity * _words);
        Array.Resize(ref _usedAt, capacity);
        Array.Resize(ref _newer, capacity);
        Array.Resize(ref _older, capacity);
        _buckets = NewBuckets(capacity);
        for (var entry = 0; entry < Count; entry++)
        {
            Insert(entry);
        }
    }

    // The keys are keyed hashes already; the high bits of a multiplication spread what a caller may have left regular.
    private static int Home(ulong key, int mask) => (int)((key * 0x9E3779B97F4A7C15UL) >> 32) & mask;

    private static int[] NewBuckets(int capacity)
    {
        var buckets = new int[BitOperations.RoundUpToPowerOf2((uint)capacity * 3 / 2)];
        Array.Fill(buckets, None);
        return buckets;
    }
}
