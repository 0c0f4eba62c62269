namespace Gateway.Replay.Estimates;

/// <summary>A figure that an estimator should reach, and the one that it has.</summary>
/// <param name="Name">What is wanted.</param>
/// <param name="Estimator">Whose figure it is.</param>
/// <param name="Value">As a share or a correlation; NaN where the data does not tell.</param>
/// <param name="IsMet">False also where the data does not tell.</param>
/// <param name="IsCorrelation">Not a share.</param>
public sealed record EstimateTarget(string Name, string Estimator, double Value, bool IsMet, bool IsCorrelation = false)
{
    private const double PooledGain = 0.36;
    private const double Tau = 0.45;
    private const double SampledTau = 0.54;
    private const double UnseenGain = 0.30;
    private const double MostLoss = 0.03;
    private const double LeastCoverage = 0.85;
    private const double MostCoverage = 0.95;

    /// <summary>Every target that the report can tell of, for each estimator.</summary>
    public static IReadOnlyList<EstimateTarget> Of(EstimateReport report)
    {
        if (report.LeaveOut.Count > 0)
        {
            return [.. report.LeaveOut.SelectMany(OfLeaveOut)];
        }
        var constant = report.Forecasters.FirstOrDefault(forecaster => forecaster.Name == TrainingMedian.BaselineName)?.Pooled.MeanAbsoluteError;
        return [.. report.Forecasters.Where(forecaster => !forecaster.IsBaseline).SelectMany(forecaster => OfPooled(forecaster, constant ?? double.NaN))];
    }

    private static IEnumerable<EstimateTarget> OfPooled(ForecasterReport forecaster, double constantError)
    {
        var pooled = forecaster.Pooled;
        yield return AtLeast("MAE under the training median by 36 %", forecaster.Name, 1 - (pooled.MeanAbsoluteError / constantError), PooledGain);
        yield return new EstimateTarget("tau within application and model 0.45", forecaster.Name, pooled.TauWithinApplication, pooled.TauWithinApplication >= Tau, IsCorrelation: true);
        foreach (var source in forecaster.Sources.Where(source => !double.IsNaN(source.Figures.TauBetweenSamples)))
        {
            var tau = source.Figures.TauWithinApplication;
            yield return new EstimateTarget($"tau 0.54 on {source.Source}", forecaster.Name, tau, tau >= SampledTau, IsCorrelation: true);
        }
    }

    private static IEnumerable<EstimateTarget> OfLeaveOut(LeaveOutReport report)
    {
        var told = report.Files.Where(file => file.Rows > 0).ToArray();
        yield return AtLeast("unseen: MAE under the others' median by 30 %", report.Estimator, 1 - (report.Pooled.MeanAbsoluteError / report.Pooled.OthersMedianError), UnseenGain);
        var loss = told.Length == 0 ? double.NaN : told.Max(file => (file.MeanAbsoluteError / file.OwnMedianError) - 1);
        yield return new EstimateTarget("unseen: worst file over its own running median by at most 3 %", report.Estimator, loss, loss <= MostLoss);
        var (least, most) = told.Length == 0 ? (double.NaN, double.NaN) : (told.Min(file => file.UpperCoverage), told.Max(file => file.UpperCoverage));
        yield return new EstimateTarget("unseen: least coverage of the 90 % bound 85 %", report.Estimator, least, least >= LeastCoverage);
        yield return new EstimateTarget("unseen: most coverage of the 90 % bound 95 %", report.Estimator, most, most <= MostCoverage);
    }

    private static EstimateTarget AtLeast(string name, string estimator, double value, double wanted) => new(name, estimator, value, value >= wanted);
}
