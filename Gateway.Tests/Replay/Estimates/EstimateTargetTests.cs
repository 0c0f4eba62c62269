using Gateway.Replay.Estimates;
using static Gateway.Tests.Replay.Estimates.LabelledRows;

namespace Gateway.Tests.Replay.Estimates;

public sealed class EstimateTargetTests
{
    private static readonly LengthBuckets Buckets = new([]);

    [Theory]
    [InlineData(64, true)]
    [InlineData(65, false)]
    public void Of_APooledError_AsksForThirtySixPercentUnderTheConstant(int error, bool expected)
    {
        var targets = EstimateTarget.Of(Report([Forecaster(TrainingMedian.BaselineName, isBaseline: true, [Scored(Row(0), 100)]), Forecaster("e", isBaseline: false, [Scored(Row(0), error)])]));

        Assert.Equal((1 - (error / 100.0), expected), (targets[0].Value, targets[0].IsMet));
        Assert.All(targets, target => Assert.Equal("e", target.Estimator));
    }

    [Fact]
    public void Of_AnOrder_AsksMoreOfTheSampledSource()
    {
        // Of 435 pairs the 105 among the first fifteen are the wrong way round.
        var scored = Enumerable.Range(1, 30).Select(index => Scored(Row(index, samples: [index, index]), index <= 15 ? 16 - index : index)).ToArray();
        var report = Report([Forecaster("e", isBaseline: false, scored)]);
        const double tau = 1 - (2 * 105 / 435.0);

        var targets = EstimateTarget.Of(report);

        Assert.Equal([false, true, false], targets.Select(target => target.IsMet));
        Assert.True(double.IsNaN(targets[0].Value));
        Assert.All(targets.Skip(1), target => Assert.Equal(tau, target.Value, 12));
    }

    [Fact]
    public void Of_FilesLeftOut_JudgesThePooledErrorAndTheWorstFile()
    {
        LeaveOutFigures[] files = [new("a", 100, 50, 100, 49, 0, 0.90), new("b", 100, 52, 60, 50, 0, 0.84), new("few", 0, double.NaN, double.NaN, double.NaN, double.NaN, double.NaN)];
        var report = Report([]) with { LeaveOut = [new LeaveOutReport("e", files, new LeaveOutFigures("all", 200, 51, 80, 49.5, 0, 0.87))] };

        var targets = EstimateTarget.Of(report);

        Assert.Equal([true, false, false, true], targets.Select(target => target.IsMet));
        Assert.Equal(new[] { 0.3625, 0.04, 0.84, 0.90 }, targets.Select(target => Math.Round(target.Value, 12)));
    }

    private static ForecasterReport Forecaster(string name, bool isBaseline, IReadOnlyList<ScoredRow> scored) => ForecasterReport.Of(name, isBaseline, scored, Buckets);

    private static EstimateReport Report(IReadOnlyList<ForecasterReport> forecasters) => new() { Method = "m", Seed = 1, TrainingRows = 1, Buckets = Buckets, Forecasters = forecasters };
}
