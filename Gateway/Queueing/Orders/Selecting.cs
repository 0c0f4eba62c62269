namespace Gateway.Queueing.Orders;

/// <summary>The scans that selecting orders share. The order of who waits says nothing.</summary>
internal static class Selecting
{
    /// <summary>The waiter of least key; equals go by their sequence.</summary>
    public static int Least(ReadOnlySpan<Waiter> waiting, Func<Waiter, double> key)
    {
        var best = 0;
        var least = key(waiting[0]);
        for (var i = 1; i < waiting.Length; i++)
        {
            var value = key(waiting[i]);
            if (value < least || (value == least && waiting[i].Sequence < waiting[best].Sequence))
            {
                (best, least) = (i, value);
            }
        }
        return best;
    }

    /// <summary>Whose turn it is by an order, of whatever kind it is.</summary>
    public static int Of(IQueueOrder order, ReadOnlySpan<Waiter> waiting, TimeSpan now)
    {
        if (order is IBoundedOvertaking bounded && Oldest(waiting) is var oldest && now - waiting[oldest].ArrivedAt > bounded.LongestWait)
        {
            return oldest;
        }
        if (order is IQueueSelector selector)
        {
            return selector.Select(waiting, now);
        }
        var first = 0;
        for (var i = 1; i < waiting.Length; i++)
        {
            first = WaitingHeap.Precedes(waiting[i], waiting[first]) ? i : first;
        }
        return first;
    }

    /// <summary>The same, of some of those who wait, at least one.</summary>
    /// <param name="waiting">All.</param>
    /// <param name="counts">Which of them.</param>
    /// <param name="order">Who of these goes first.</param>
    /// <param name="now">Time since the core started.</param>
    /// <param name="buffer">Grows as needed.</param>
    public static int Among(ReadOnlySpan<Waiter> waiting, Func<Waiter, bool> counts, IQueueOrder order, TimeSpan now, ref Waiter[] buffer)
    {
        var some = Copy(waiting, counts, ref buffer);
        return waiting.IndexOf(some[Of(order, some, now)]);
    }

    /// <summary>Copies some of those who wait; the copies stay referenced until the next call.</summary>
    public static Span<Waiter> Copy(ReadOnlySpan<Waiter> waiting, Func<Waiter, bool> counts, ref Waiter[] buffer)
    {
        var count = 0;
        foreach (var waiter in waiting)
        {
            if (counts(waiter))
            {
                Put(ref buffer, count++, waiter);
            }
        }
        return buffer.AsSpan(0, count);
    }

    /// <summary>Copies those of some of who waits that came first, in the order of their coming; the copies stay referenced until the next call.</summary>
    /// <param name="waiting">All.</param>
    /// <param name="counts">Which of them.</param>
    /// <param name="most">How many at most, at least one.</param>
    /// <param name="buffer">Grows as needed, to twice as many.</param>
    public static Span<Waiter> FirstCome(ReadOnlySpan<Waiter> waiting, Func<Waiter, bool> counts, int most, ref Waiter[] buffer)
    {
        var (count, last) = (0, long.MaxValue);
        foreach (var waiter in waiting)
        {
            if (waiter.Sequence > last || !counts(waiter))
            {
                continue;
            }
            Put(ref buffer, count++, waiter);
            if (count == 2 * most)
            {
                // Whoever comes after the last of these cannot be among the first: with a long queue that is nearly everybody, and a sort is rare.
                Sort(buffer.AsSpan(0, count));
                (count, last) = (most, buffer[most - 1].Sequence);
            }
        }
        Sort(buffer.AsSpan(0, count));
        return buffer.AsSpan(0, Math.Min(most, count));
    }

    private static void Sort(Span<Waiter> waiting) => waiting.Sort(static (a, b) => a.Sequence.CompareTo(b.Sequence));

    /// <summary>Sets one place of a buffer that grows as needed.</summary>
    public static void Put(ref Waiter[] buffer, int index, Waiter waiter)
    {
        if (index == buffer.Length)
        {
            Array.Resize(ref buffer, 2 * index);
        }
        buffer[index] = waiter;
    }

    private static int Oldest(ReadOnlySpan<Waiter> waiting) => Least(waiting, static waiter => waiter.ArrivedAt.TotalSeconds);
}
