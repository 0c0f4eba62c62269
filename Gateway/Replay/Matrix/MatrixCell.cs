using Gateway.Replay.Reports;

namespace Gateway.Replay.Matrix;

/// <summary>One workload at one load in front of one fleet, under every policy.</summary>
public sealed record MatrixCell
{
    public required MatrixWorkload Workload { get; init; }

    public required int Replicas { get; init; }

    /// <summary>Requests per second that the fleet finishes when all of the workload waits in front of it; the seeds' mean.</summary>
    public required double CapacityPerSecond { get; init; }

    /// <summary>Arrivals over capacity.</summary>
    public required double Load { get; init; }

    /// <summary>What the policy that is to lose nowhere measured.</summary>
    public required MatrixRow Reference { get; init; }

    public required IReadOnlyList<MatrixRow> Baselines { get; init; }
}

/// <summary>What one policy measured in a cell: the means over the seeds.</summary>
/// <param name="Policy">Its name.</param>
/// <param name="Runs">One for each seed, at least one.</param>
public sealed record MatrixRow(string Policy, IReadOnlyList<RunSummary> Runs)
{
    /// <summary>From the arrival to the last token, in seconds.</summary>
    public MatrixLatency EndToEnd => Over(run => run.EndToEnd);

    /// <summary>From the arrival to the first token, in seconds.</summary>
    public MatrixLatency TimeToFirstToken => Over(run => run.TimeToFirstToken);

    /// <summary>Whether a run finished too few requests to compare by its 99th percentile.</summary>
    public bool HasRoughPercentiles => Runs.Any(run => run.HasRoughPercentiles);

    private MatrixLatency Over(Func<RunSummary, LatencySummary> of) => new(Runs.Average(run => of(run).Mean), Runs.Average(run => of(run).P99));
}

/// <summary>Seconds.</summary>
public readonly record struct MatrixLatency(double Mean, double P99);

/// <summary>Where a baseline is better than the reference.</summary>
/// <param name="Cell">Where.</param>
/// <param name="Baseline">Who.</param>
/// <param name="Figure"><c>e2e</c> or <c>ttft</c>.</param>
/// <param name="MeanRatio">The reference's mean over the baseline's.</param>
/// <param name="TailRatio">The same of the 99th percentile; null where too few requests finished to compare by it.</param>
/// <param name="IsLowLoad">The row is told because nothing may be lost at low load, however little.</param>
public sealed record MatrixLoss(MatrixCell Cell, MatrixRow Baseline, string Figure, double MeanRatio, double? TailRatio, bool IsLowLoad);

/// <summary>Finds the losses of a cell.</summary>
public static class MatrixVerdict
{
    /// <summary>More than this on the mean and on the 99th percentile is a loss.</summary>
    public const double LossRatio = 1.03;

    /// <summary>At low load more than this on the mean is one.</summary>
    public const double LowLoadRatio = 1.01;

    /// <summary>Up to this share of the capacity hardly anything waits.</summary>
    public const double LowLoad = 0.75;

    private static readonly (string Name, Func<MatrixRow, MatrixLatency> Of)[] Figures =
        [("e2e", row => row.EndToEnd), ("ttft", row => row.TimeToFirstToken)];

    /// <summary>Every baseline that beats the reference; at low load the best row too, where the reference is behind it.</summary>
    public static IEnumerable<MatrixLoss> Losses(MatrixCell cell)
    {
        foreach (var (name, of) in Figures)
        {
            var losses = cell.Baselines.Select(row => LossOf(cell, row, name, of)).ToArray();
            var beaten = losses.Where(loss => loss.MeanRatio > LossRatio && loss.TailRatio is not <= LossRatio).ToArray();
            foreach (var loss in beaten)
            {
                yield return loss;
            }
            if (cell.Load <= LowLoad && beaten.Length == 0 && losses.MaxBy(loss => loss.MeanRatio) is { MeanRatio: > LowLoadRatio } best)
            {
                yield return best with { IsLowLoad = true };
            }
        }
    }

    private static MatrixLoss LossOf(MatrixCell cell, MatrixRow row, string name, Func<MatrixRow, MatrixLatency> of)
    {
        var (ours, theirs) = (of(cell.Reference), of(row));
        var isRough = cell.Reference.HasRoughPercentiles || row.HasRoughPercentiles;
        return new MatrixLoss(cell, row, name, Ratio(ours.Mean, theirs.Mean), isRough ? null : Ratio(ours.P99, theirs.P99), false);
    }

    private static double Ratio(double ours, double theirs) => theirs > 0 ? ours / theirs : 1;
}
