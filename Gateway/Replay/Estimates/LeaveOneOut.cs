namespace Gateway.Replay.Estimates;

/// <summary>Each file in turn as an application never seen: the others are learned first, then this one online.</summary>
public static class LeaveOneOut
{
    /// <summary>Completions after which the new application counts.</summary>
    public const int KnownAfter = 200;

    private const int SkippedRows = KnownAfter + Evaluation.FeedbackDelay;

    /// <summary>Forecasts of all that come after the first <see cref="KnownAfter"/> completions of the file.</summary>
    /// <param name="forecaster">Fresh.</param>
    /// <param name="files">All files.</param>
    /// <param name="index">The one that is left out.</param>
    /// <param name="onRow">Told of every row.</param>
    /// <param name="cancellationToken">Ends it between two rows.</param>
    public static IReadOnlyList<ScoredRow> Run(
        ILengthForecaster forecaster, IReadOnlyList<LabelledFile> files, int index, Action onRow, CancellationToken cancellationToken)
    {
        var others = RowOrder.Interleave(files.Where((_, other) => other != index).Select(file => file.Rows));
        return [.. Evaluation.Run(forecaster, others, files[index].Rows, isOnline: true, onRow, cancellationToken).Skip(SkippedRows)];
    }

    /// <summary>What an estimator is compared with; each is taken through every file once, as the estimators are.</summary>
    public static IReadOnlyList<ILengthForecaster> Baselines() =>
    [
        new TrainingMedian(), new RunningMedian("own running median", _ => ""), new RunningMedian("own running median by model", row => row.Model),
    ];

    /// <summary>The figures of one estimator.</summary>
    /// <param name="estimator">Its name.</param>
    /// <param name="names">Of the files.</param>
    /// <param name="scored">Its forecasts, by file.</param>
    /// <param name="baselines">Forecasts of the same rows by each of <see cref="Baselines"/>, by baseline and file.</param>
    public static LeaveOutReport Report(
        string estimator, IReadOnlyList<string> names, IReadOnlyList<ScoredRow>[] scored, IReadOnlyList<ScoredRow>[][] baselines)
    {
        var files = names.Select((name, file) => Figures(name, scored[file], [.. baselines.Select(baseline => baseline[file])]));
        return new LeaveOutReport(
            estimator, [.. files], Figures("all", [.. scored.SelectMany(rows => rows)], [.. baselines.Select(baseline => baseline.SelectMany(rows => rows).ToArray())]));
    }

    private static LeaveOutFigures Figures(string name, IReadOnlyList<ScoredRow> scored, IReadOnlyList<ScoredRow>[] baselines)
    {
        var whole = Whole(scored);
        return new LeaveOutFigures(
            name, whole.Length, Error(scored), Error(baselines[0]), Error(baselines[1]), Error(baselines[2]),
            whole.Length == 0 ? double.NaN : whole.Count(entry => entry.Row.OutputTokens <= entry.Forecast.Upper) / (double)whole.Length);
    }

    private static double Error(IReadOnlyList<ScoredRow> scored) =>
        Whole(scored) is { Length: > 0 } whole ? whole.Average(entry => Math.Abs(entry.Error)) : double.NaN;

    private static ScoredRow[] Whole(IReadOnlyList<ScoredRow> scored) => [.. scored.Where(entry => !entry.Row.IsCensored)];
}
