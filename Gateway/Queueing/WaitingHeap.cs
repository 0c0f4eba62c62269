namespace Gateway.Queueing;

/// <summary>The waiting requests of one class in the order of their turn: a binary heap from which any request can leave in O(log n). Not thread-safe.</summary>
internal sealed class WaitingHeap
{
    private Waiter[] _heap = new Waiter[16];

    public int Count { get; private set; }

    /// <summary>Who is next; only while <see cref="Count"/> is positive.</summary>
    public Waiter Head => _heap[0];

    /// <summary>Who waits, in no order but that the first is <see cref="Head"/>.</summary>
    public ReadOnlySpan<Waiter> All => _heap.AsSpan(0, Count);

    public void Add(Waiter waiter)
    {
        if (Count == _heap.Length)
        {
            Array.Resize(ref _heap, 2 * Count);
        }
        Put(waiter, Count++);
        Rise(waiter.HeapIndex);
    }

    public void Remove(Waiter waiter)
    {
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
