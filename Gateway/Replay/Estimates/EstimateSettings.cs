namespace Gateway.Replay.Estimates;

/// <summary>How estimators are judged.</summary>
public sealed record EstimateSettings
{
    /// <summary>Names of the table of estimators.</summary>
    public required IReadOnlyList<string> Estimators { get; init; }

    /// <summary>Every tested row is learned from as well, some requests after its forecast.</summary>
    public bool IsOnline { get; init; }

    /// <summary>Decides the division of prompts.</summary>
    public int Seed { get; init; } = 1;
}

/// <summary>The rows that train and those that test, each in the order in which they come.</summary>
/// <param name="Method">How they were chosen, in words.</param>
/// <param name="Training">May be empty.</param>
/// <param name="Test">At least one.</param>
public sealed record EvaluationRows(string Method, IReadOnlyList<LabelledRequest> Training, IReadOnlyList<LabelledRequest> Test)
{
    /// <summary>Files in both lists: all rows are divided by prompt. Else every row of a list counts.</summary>
    public static EvaluationRows Of(IReadOnlyList<LabelledFile> training, IReadOnlyList<LabelledFile> test, int seed)
    {
        if (!training.Any(test.Contains))
        {
            return new EvaluationRows("all rows", Ordered(training, _ => true), Ordered(test, _ => true));
        }
        var split = new PromptSplit(seed);
        return new EvaluationRows(
            "60/40 by prompt", Ordered(training, row => split.IsTraining(row.PromptKey)), Ordered(test, row => !split.IsTraining(row.PromptKey)));
    }

    private static IReadOnlyList<LabelledRequest> Ordered(IReadOnlyList<LabelledFile> files, Func<LabelledRequest, bool> isChosen) =>
        RowOrder.Interleave(files.Select(file => (IReadOnlyList<LabelledRequest>)[.. file.Rows.Where(isChosen)]));
}
