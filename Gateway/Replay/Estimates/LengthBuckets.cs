namespace Gateway.Replay.Estimates;

/// <summary>Five classes of length with a fifth of the rows each.</summary>
/// <param name="Borders">The longest length of each class but the last, ascending.</param>
public sealed record LengthBuckets(IReadOnlyList<int> Borders)
{
    private const int Classes = 5;

    /// <summary>Quintiles of the rows whose answer was not cut; without any, all lengths are one class.</summary>
    public static LengthBuckets Of(IEnumerable<LabelledRequest> rows)
    {
        var lengths = new LengthCounts();
        foreach (var tokens in rows.Where(row => !row.IsCensored).Select(row => row.OutputTokens))
        {
            lengths.Add(tokens);
        }
        return new LengthBuckets(lengths.Count == 0 ? [] : [.. Enumerable.Range(1, Classes - 1).Select(index => lengths.Quantile(index / (double)Classes))]);
    }

    /// <summary>The class of a length, 0 for the shortest.</summary>
    public int Of(double tokens)
    {
        var index = 0;
        while (index < Borders.Count && tokens > Borders[index])
        {
            index++;
        }
        return index;
    }
}
