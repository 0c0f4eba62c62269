namespace Gateway.Simulation;

/// <summary>The waiting requests of an engine by (priority, order): a binary heap that can also give up one in the middle. Not thread-safe.</summary>
internal sealed class WaitingRequests(bool byPriority)
{
    private Sequence[] _heap = new Sequence[16];

    public int Count { get; private set; }

    /// <summary>The next in turn; null when nobody waits.</summary>
    public Sequence? Head => Count == 0 ? null : _heap[0];

    public void Add(Sequence sequence)
    {
        if (Count == _heap.Length)
        {
            Array.Resize(ref _heap, _heap.Length * 2);
        }

        RiseFrom(Count++, sequence);
    }

    public void Remove(Sequence sequence)
    {
        var hole = sequence.WaitingSlot;
        sequence.WaitingSlot = Sequence.NotWaiting;
        var last = _heap[--Count];
        _heap[Count] = null!;
        if (ReferenceEquals(last, sequence))
        {
            return;
        }

        if (hole > 0 && IsBefore(last, _heap[(hole - 1) / 2]))
        {
            RiseFrom(hole, last);
        }
        else
        {
            SinkFrom(hole, last);
        }
    }

    private void RiseFrom(int slot, Sequence sequence)
    {
        while (slot > 0 && IsBefore(sequence, _heap[(slot - 1) / 2]))
        {
            Put(slot, _heap[(slot - 1) / 2]);
            slot = (slot - 1) / 2;
        }

        Put(slot, sequence);
    }

    private void SinkFrom(int slot, Sequence sequence)
    {
        while (true)
        {
            var child = (2 * slot) + 1;
            if (child >= Count)
            {
                break;
            }

            if (child + 1 < Count && IsBefore(_heap[child + 1], _heap[child]))
            {
                child++;
            }

            if (!IsBefore(_heap[child], sequence))
            {
                break;
            }

            Put(slot, _heap[child]);
            slot = child;
        }

        Put(slot, sequence);
    }

    private void Put(int slot, Sequence sequence)
    {
        _heap[slot] = sequence;
        sequence.WaitingSlot = slot;
    }

    private bool IsBefore(Sequence one, Sequence other) =>
        byPriority && one.Request.Priority != other.Request.Priority ? one.Request.Priority < other.Request.Priority : one.Order < other.Order;
}
