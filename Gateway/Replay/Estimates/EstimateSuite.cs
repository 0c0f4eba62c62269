namespace Gateway.Replay.Estimates;

/// <summary>Takes every baseline and estimator through the same rows, several at a time; what is found does not depend on which ends first.</summary>
/// <param name="settings">What is judged, and how.</param>
/// <param name="time">Times estimates and updates.</param>
/// <param name="cancellationToken">Ends it between two rows.</param>
public sealed class EstimateSuite(EstimateSettings settings, TimeProvider time, CancellationToken cancellationToken)
{
    private long _done;
    private long _total;

    /// <summary>0 to 1, while it runs.</summary>
    public double Share => Interlocked.Read(ref _total) is > 0 and var total ? Math.Min(1, Interlocked.Read(ref _done) / (double)total) : 0;

    /// <summary>Learns the training rows, then tests.</summary>
    public (EstimateReport Report, IReadOnlyList<EstimatePace> Paces) Compare(EvaluationRows rows)
    {
        var estimators = settings.Estimators.Select(name => new EstimatorForecaster(name, time)).ToArray();
        ILengthForecaster[] forecasters = [.. Baselines(rows), .. estimators];
        var buckets = LengthBuckets.Of(rows.Training.Count > 0 ? rows.Training : rows.Test);
        var reports = new ForecasterReport[forecasters.Length];
        InParallel(forecasters.Length, rows.Training.Count + rows.Test.Count, index =>
        {
            var scored = Evaluation.Run(forecasters[index], rows.Training, rows.Test, settings.IsOnline, OnRow, cancellationToken);
            reports[index] = ForecasterReport.Of(forecasters[index].Name, forecasters[index] is not EstimatorForecaster, scored, buckets);
        });
        var report = new EstimateReport
        {
            Method = rows.Method + (settings.IsOnline ? $", online with lessons {Evaluation.FeedbackDelay} requests late" : ""),
            Seed = settings.Seed,
            TrainingRows = rows.Training.Count,
            Buckets = buckets,
            Forecasters = reports,
        };
        return (report, [.. estimators.Select(estimator => estimator.Pace)]);
    }

    /// <summary>Leaves out one file after another.</summary>
    /// <param name="files">At least two.</param>
    public (EstimateReport Report, IReadOnlyList<EstimatePace> Paces) LeaveOut(IReadOnlyList<LabelledFile> files)
    {
        var baselines = LeaveOneOut.Baselines().Select(baseline => baseline.Name).ToArray();
        string[] names = [.. baselines, .. settings.Estimators];
        var scored = new IReadOnlyList<ScoredRow>[names.Length][];
        var paces = new EstimatePace[settings.Estimators.Count];
        for (var i = 0; i < names.Length; i++)
        {
            scored[i] = new IReadOnlyList<ScoredRow>[files.Count];
        }
        InParallel(names.Length * files.Count, files.Sum(file => file.Rows.Count), task =>
        {
            var (index, file) = (task % names.Length, task / names.Length);
            var forecaster = index < baselines.Length ? LeaveOneOut.Baselines()[index] : new EstimatorForecaster(names[index], time);
            scored[index][file] = LeaveOneOut.Run(forecaster, files, file, OnRow, cancellationToken);
            // The times of the first file are reported for all: the estimator is a fresh one each time.
            if (file == 0 && forecaster is EstimatorForecaster estimator)
            {
                paces[index - baselines.Length] = estimator.Pace;
            }
        });
        var buckets = LengthBuckets.Of(files.SelectMany(file => file.Rows));
        var report = new EstimateReport
        {
            Method = $"each file left out in turn, online with lessons {Evaluation.FeedbackDelay} requests late, after {LeaveOneOut.KnownAfter} completions",
            Seed = settings.Seed,
            TrainingRows = 0,
            Buckets = buckets,
            Forecasters = [.. names.Select((name, index) => ForecasterReport.Of(name, index < baselines.Length, [.. scored[index].SelectMany(rows => rows)], buckets))],
            LeaveOut = [.. settings.Estimators.Select((name, index) => LeaveOneOut.Report(name, [.. files.Select(file => file.Name)], scored[baselines.Length + index], scored[..baselines.Length]))],
        };
        return (report, paces);
    }

    private IEnumerable<ILengthForecaster> Baselines(EvaluationRows rows)
    {
        if (rows.Training.Count > 0)
        {
            yield return new TrainingMedian();
        }
        if (settings.IsOnline)
        {
            yield return new RunningMedian("running median by source and model", row => row.Source + "\n" + row.Model);
        }
    }

    private void OnRow() => Interlocked.Increment(ref _done);

    private void InParallel(int tasks, long rowsPerTask, Action<int> run)
    {
        Interlocked.Exchange(ref _total, tasks * rowsPerTask);
        try
        {
            Parallel.For(0, tasks, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, run);
        }
        catch (AggregateException several) when (several.InnerExceptions.Any(inner => inner is OperationCanceledException))
        {
            throw new OperationCanceledException(cancellationToken);
        }
    }
}
