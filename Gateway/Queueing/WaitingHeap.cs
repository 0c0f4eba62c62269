namespace Gateway.Queueing;

/// <summary>The waiting requests of one class, in the order of their turn and in that of their coming: a binary heap from which any request can leave in O(log n), and a list through it. Not thread-safe.</summary>
internal sealed class WaitingHeap
{
    private Waiter[] _heap = new Waiter[16];
    private Waiter? _newest;

    // Who last came back to an earlier place, or stands beside it: a whole line comes back one after the other.
    private Waiter? _cameBack;

    public int Count { get; private set; }

    /// <summary>Who is next; only while <see cref="Count"/> is positive.</summary>
    public Waiter Head => _heap[0];

    /// <summary>Who waits, in no order but that the first is <see cref="Head"/>.</summary>
    public ReadOnlySpan<Waiter> All => _heap.AsSpan(0, Count);

    /// <summary>Who came first of those who wait; null when nobody does.</summary>
    public Waiter? Oldest { get; private set; }

    /// <summary>Fills in those whose turns are next, in their order.</summary>
    /// <returns>How many there are.</returns>
    public int First(Span<Waiter> first)
    {
        // What may be next is the head and the children of those that were taken.
        Span<int> open = stackalloc int[first.Length + 1];
        var (opened, taken) = (Math.Min(1, Count), 0);
        for (; taken < first.Length && opened > 0; taken++)
        {
            var next = 0;
            for (var i = 1; i < opened; i++)
            {
                next = Precedes(_heap[open[i]], _heap[open[next]]) ? i : next;
            }
            var index = open[next];
            open[next] = open[--opened];
            first[taken] = _heap[index];
            for (var child = (2 * index) + 1; child <= (2 * index) + 2 && child < Count; child++)
            {
                open[opened++] = child;
            }
        }
        return taken;
    }

    public void Add(Waiter waiter)
    {
        Link(waiter);
        if (Count == _heap.Length)
        {
            Array.Resize(ref _heap, 2 * Count);
        }
        Put(waiter, Count++);
        Rise(waiter.HeapIndex);
    }

    public void Remove(Waiter waiter)
    {
        Unlink(waiter);
        var hole = waiter.HeapIndex;
        waiter.HeapIndex = -1;
        var last = _heap[--Count];
        _heap[Count] = null!;
        if (hole < Count)
        {
            Put(last, hole);
            Rise(hole);
            Sink(last.HeapIndex);
        }
    }

    /// <summary>Gives one that waits here another key.</summary>
    public void Rekey(Waiter waiter, double rank)
    {
        waiter.Rank = rank;
        Rise(waiter.HeapIndex);
        Sink(waiter.HeapIndex);
    }

    // Nearly always the newest; who comes back goes to where it stood.
    private void Link(Waiter waiter)
    {
        var isNewest = _newest is null || _newest.Sequence < waiter.Sequence;
        var older = isNewest ? _newest : PlaceBefore(waiter.Sequence);
        _cameBack = isNewest ? _cameBack : waiter;
        var newer = older is null ? Oldest : older.Newer;
        (waiter.Older, waiter.Newer) = (older, newer);
        if (older is null)
        {
            Oldest = waiter;
        }
        else
        {
            older.Newer = waiter;
        }
        if (newer is null)
        {
            _newest = waiter;
        }
        else
        {
            newer.Older = waiter;
        }
    }

    // The last that came before a place that is not the newest.
    private Waiter? PlaceBefore(long sequence)
    {
        // From the nearer of the two, as far as their numbers tell.
        var place = _cameBack is { } there && Math.Abs(there.Sequence - sequence) < _newest!.Sequence - sequence ? there : _newest;
        while (place?.Newer is { } newer && newer.Sequence < sequence)
        {
            place = newer;
        }
        while (place is not null && place.Sequence > sequence)
        {
            place = place.Older;
        }
        return place;
    }

    private void Unlink(Waiter waiter)
    {
        var (older, newer) = (waiter.Older, waiter.Newer);
        _cameBack = _cameBack == waiter ? older ?? newer : _cameBack;
        Oldest = Oldest == waiter ? newer : Oldest;
        _newest = _newest == waiter ? older : _newest;
        if (older is not null)
        {
            older.Newer = newer;
        }
        if (newer is not null)
        {
            newer.Older = older;
        }
        (waiter.Older, waiter.Newer) = (null, null);
    }

    private void Rise(int index)
    {
        while (index > 0 && Precedes(_heap[index], _heap[(index - 1) / 2]))
        {
            Swap(index, (index - 1) / 2);
            index = (index - 1) / 2;
        }
    }

    private void Sink(int index)
    {
        while (true)
        {
            var first = index;
            for (var child = (2 * index) + 1; child <= (2 * index) + 2 && child < Count; child++)
            {
                if (Precedes(_heap[child], _heap[first]))
                {
                    first = child;
                }
            }
            if (first == index)
            {
                return;
            }
            Swap(index, first);
            index = first;
        }
    }

    private void Swap(int a, int b)
    {
        var (first, second) = (_heap[a], _heap[b]);
        Put(first, b);
        Put(second, a);
    }

    private void Put(Waiter waiter, int index)
    {
        _heap[index] = waiter;
        waiter.HeapIndex = index;
    }

    /// <summary>Whether one goes before another of its class.</summary>
    public static bool Precedes(Waiter a, Waiter b)
    {
        if (a.Request.PriorityLevel != b.Request.PriorityLevel)
        {
            return a.Request.PriorityLevel > b.Request.PriorityLevel;
        }
        return a.Rank < b.Rank || (a.Rank == b.Rank && a.Sequence < b.Sequence);
    }
}
