namespace Gateway.Replay.Estimates;

/// <summary>The order in which the rows of several files come.</summary>
public static class RowOrder
{
    /// <summary>All files at once, each at its own even pace, so that all begin and end together; rows of a file keep their order, and of two at one moment the earlier file's goes first.</summary>
    public static IReadOnlyList<LabelledRequest> Interleave(IEnumerable<IReadOnlyList<LabelledRequest>> files) =>
    [
        .. files
            .SelectMany((rows, file) => rows.Select((row, index) => (Row: row, Moment: (index + 0.5) / rows.Count, File: file)))
            .OrderBy(entry => entry.Moment).ThenBy(entry => entry.File)
            .Select(entry => entry.Row),
    ];
}
