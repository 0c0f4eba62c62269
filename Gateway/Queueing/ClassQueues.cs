using Gateway.Requests;

namespace Gateway.Queueing;

/// <summary>The waiting requests of a pool by class: the most urgent class first, but every class below keeps a reserved share of the turns. Not thread-safe.</summary>
internal sealed class ClassQueues
{
    private const int Classes = 3;

    private readonly WaitingHeap[] _classes = [new(), new(), new()];
    private readonly double[] _credit = new double[Classes];
    private long _sequence;

    public int Count { get; private set; }

    /// <summary>Body bytes that the waiting requests hold.</summary>
    public long Bytes { get; private set; }

    public int CountOf(PriorityClass priority) => _classes[(int)priority].Count;

    public void Add(Waiter waiter)
    {
        waiter.Sequence = ++_sequence;
        _classes[(int)waiter.Request.Priority].Add(waiter);
        Count++;
        Bytes += waiter.Request.Body.BodyBytes;
    }

    public void Remove(Waiter waiter)
    {
        _classes[(int)waiter.Request.Priority].Remove(waiter);
        Count--;
        Bytes -= waiter.Request.Body.BodyBytes;
    }

    /// <summary>Who is next: from the most urgent class, unless a lower class has saved up a turn. Null when nobody waits.</summary>
    /// <param name="order">Who goes first within the class.</param>
    /// <param name="now">Time since the core started.</param>
    public Waiter? Next(IQueueOrder order, TimeSpan now)
    {
        WaitingHeap? next = null;
        for (var index = 0; index < Classes; index++)
        {
            if (_classes[index].Count == 0)
            {
                continue;
            }
            if (next is null || _credit[index] >= 1)
            {
                next = _classes[index];
            }
        }
        return next is null ? null
            : order is IQueueSelector selector ? next.All[selector.Select(next.All, now)]
            : next.Head;
    }

    /// <summary>Takes out the one whose turn it is, and lets the passed-over classes save up for theirs.</summary>
    /// <param name="waiter">The result of <see cref="Next"/>.</param>
    /// <param name="reservedShare">Share of turns that each lower class with waiting requests is owed, 0 to 1.</param>
    public void TakeTurn(Waiter waiter, double reservedShare)
    {
        Remove(waiter);
        var served = (int)waiter.Request.Priority;
        _credit[served] = _credit[served] >= 1 ? _credit[served] - 1 : 0;
        for (var index = served + 1; index < Classes; index++)
        {
            _credit[index] = _classes[index].Count > 0 ? Math.Min(1, _credit[index] + reservedShare) : 0;
        }
    }
}
