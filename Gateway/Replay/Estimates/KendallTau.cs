namespace Gateway.Replay.Estimates;

/// <summary>Kendall's rank correlation with ties (tau-b), by Knight's merge sort (1966) in O(n log n).</summary>
public static class KendallTau
{
    /// <param name="first">Values of one ranking.</param>
    /// <param name="second">Values of the other, as many.</param>
    /// <returns>−1 to 1; 0 where one of the rankings ties everything.</returns>
    public static double B(ReadOnlySpan<double> first, ReadOnlySpan<double> second)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(second.Length, first.Length);
        var pairs = new (double First, double Second)[first.Length];
        for (var i = 0; i < pairs.Length; i++)
        {
            pairs[i] = (first[i], second[i]);
        }
        Array.Sort(pairs);
        var all = Pairs(pairs.Length);
        var firstTies = Ties(pairs, static (one, other) => one.First == other.First);
        var bothTies = Ties(pairs, static (one, other) => one == other);
        var ordered = Array.ConvertAll(pairs, pair => pair.Second);
        var swaps = CountSwaps(ordered, new double[ordered.Length]);
        var secondTies = Ties(ordered, static (one, other) => one == other);
        var scale = Math.Sqrt((double)(all - firstTies) * (all - secondTies));
        return scale == 0 ? 0 : (all - firstTies - secondTies + bothTies - (2 * swaps)) / scale;
    }

    private static long Pairs(long count) => count * (count - 1) / 2;

    /// <summary>Pairs of equals among neighbours of a sorted list.</summary>
    private static long Ties<T>(ReadOnlySpan<T> sorted, Func<T, T, bool> areEqual)
    {
        long ties = 0;
        for (int from = 0, to; from < sorted.Length; from = to)
        {
            for (to = from + 1; to < sorted.Length && areEqual(sorted[from], sorted[to]); to++)
            {
            }
            ties += Pairs(to - from);
        }
        return ties;
    }

    /// <summary>Sorts, and counts the pairs that stood the wrong way round.</summary>
    private static long CountSwaps(Span<double> values, Span<double> room)
    {
        if (values.Length < 2)
        {
            return 0;
        }
        var half = values.Length / 2;
        var swaps = CountSwaps(values[..half], room[..half]) + CountSwaps(values[half..], room[half..]);
        values.CopyTo(room);
        for (int left = 0, right = half, next = 0; next < values.Length; next++)
        {
            if (right == values.Length || (left < half && room[left] <= room[right]))
            {
                values[next] = room[left++];
            }
            else
            {
                swaps += half - left;
                values[next] = room[right++];
            }
        }
        return swaps;
    }
}
