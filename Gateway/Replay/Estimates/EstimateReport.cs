namespace Gateway.Replay.Estimates;

/// <summary>Everything that an evaluation found; wall-clock times apart.</summary>
public sealed record EstimateReport
{
    /// <summary>How it was made, in words.</summary>
    public required string Method { get; init; }

    public required int Seed { get; init; }

    /// <summary>Rows that were only learned from; with files left out one by one, 0.</summary>
    public required int TrainingRows { get; init; }

    /// <summary>Borders of the five classes of length, in tokens.</summary>
    public required LengthBuckets Buckets { get; init; }

    /// <summary>Baselines first, then the estimators in the order asked for.</summary>
    public required IReadOnlyList<ForecasterReport> Forecasters { get; init; }

    /// <summary>One per estimator; empty where no file was left out.</summary>
    public IReadOnlyList<LeaveOutReport> LeaveOut { get; init; } = [];
}

/// <summary>How one estimator or baseline did.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsBaseline">It is there to be beaten.</param>
/// <param name="Pooled">Over all tested rows.</param>
/// <param name="Sources">By application and by application and model, in the order of their names.</param>
public sealed record ForecasterReport(string Name, bool IsBaseline, EstimateFigures Pooled, IReadOnlyList<SourceReport> Sources)
{
    internal static ForecasterReport Of(string name, bool isBaseline, IReadOnlyList<ScoredRow> scored, LengthBuckets buckets) => new(
        name, isBaseline, EstimateFigures.Of(scored, buckets),
        [.. scored.GroupBy(entry => entry.Row.Source).OrderBy(group => group.Key, StringComparer.Ordinal).Select(source => new SourceReport(
            source.Key, EstimateFigures.Of([.. source], buckets),
            [.. source.GroupBy(entry => entry.Row.Model).OrderBy(group => group.Key, StringComparer.Ordinal)
                .Select(model => new ModelReport(model.Key, EstimateFigures.Of([.. model], buckets)))]))]);
}

/// <summary>One application.</summary>
public sealed record SourceReport(string Source, EstimateFigures Figures, IReadOnlyList<ModelReport> Models);

/// <summary>One model of an application.</summary>
public sealed record ModelReport(string Model, EstimateFigures Figures);

/// <summary>How an estimator did on each file as one of an application never seen: the other files learned first, then online through this one.</summary>
/// <param name="Estimator">Its name.</param>
/// <param name="Files">In the order given; those with too few rows have no figures.</param>
/// <param name="Pooled">Over the rows of all files.</param>
public sealed record LeaveOutReport(string Estimator, IReadOnlyList<LeaveOutFigures> Files, LeaveOutFigures Pooled);

/// <summary>Errors after the first completions of an unknown application, mean absolute in tokens; NaN without rows.</summary>
/// <param name="File">The file left out.</param>
/// <param name="Rows">Whole answers that were foretold after that many completions.</param>
/// <param name="MeanAbsoluteError">Of the estimator's median.</param>
/// <param name="OthersMedianError">Of the other files' constant median.</param>
/// <param name="OwnMedianError">Of this file's own running median.</param>
/// <param name="OwnModelMedianError">Of the running median of each model in this file.</param>
/// <param name="UpperCoverage">Share of lengths up to the 90 % bound.</param>
public sealed record LeaveOutFigures(
    string File, int Rows, double MeanAbsoluteError, double OthersMedianError, double OwnMedianError, double OwnModelMedianError, double UpperCoverage);

/// <summary>Mean wall-clock times; told on the terminal only, since no two runs agree on them.</summary>
/// <param name="Name">The estimator.</param>
/// <param name="EstimateMicroseconds">Null: none was made.</param>
/// <param name="UpdateMicroseconds">Null: it does not learn.</param>
public readonly record struct EstimatePace(string Name, double? EstimateMicroseconds, double? UpdateMicroseconds);

/// <summary>All that was timed.</summary>
/// <param name="Estimators">In the order asked for.</param>
/// <param name="ReadingMicroseconds">Mean time to understand a body before it can be estimated; null where the rows had none.</param>
public sealed record EstimatePaces(IReadOnlyList<EstimatePace> Estimators, double? ReadingMicroseconds);
