using Gateway.Replay.Estimates;
using static Gateway.Tests.Replay.Estimates.LabelledRows;

namespace Gateway.Tests.Replay.Estimates;

public sealed class EvaluationTests
{
    private static readonly LabelledRequest[] Test = [.. Enumerable.Range(0, 50).Select(tokens => Row(tokens))];

    [Fact]
    public void Run_Offline_TrainsFirstAndLearnsNothingOfTheTest()
    {
        var forecaster = new RecordingForecaster();

        Evaluation.Run(forecaster, [Row(7), Row(8)], Test[..2], isOnline: false, () => { }, default);

        Assert.Equal(["train 7", "train 8", "forecast 0", "forecast 1"], forecaster.Calls);
    }

    [Fact]
    public void Run_Online_LearnsEachRowTwentyRequestsAfterItsForecast()
    {
        var scored = Evaluation.Run(new RecordingForecaster(), [], Test, isOnline: true, () => { }, default);

        Assert.Equal(Enumerable.Range(0, 50).Select(index => Math.Max(0.0, index - Evaluation.FeedbackDelay)), scored.Select(entry => entry.Forecast.Median));
    }

    [Fact]
    public void Run_Online_LearnsNothingBeforeItIsForetold()
    {
        var forecaster = new RecordingForecaster();

        Evaluation.Run(forecaster, [], Test, isOnline: true, () => { }, default);

        Assert.Equal(29, forecaster.Lessons);
        Assert.All(Enumerable.Range(0, 29), tokens => Assert.True(forecaster.Calls.IndexOf($"forecast {tokens + 20}") < forecaster.Calls.IndexOf($"learn {tokens}")));
    }

    [Fact]
    public void Run_WhenCanceled_Ends() =>
        Assert.Throws<OperationCanceledException>(() => Evaluation.Run(new RecordingForecaster(), [], Test, isOnline: false, () => { }, new CancellationToken(canceled: true)));

    [Fact]
    public void LeaveOut_OfOneFile_LearnsTheOthersAndCountsAfterTwoHundredCompletions()
    {
        LabelledFile[] files = [new("a", [Row(1), Row(2)]), new("b", [.. Enumerable.Range(1_000, 223).Select(tokens => Row(tokens))]), new("c", [Row(3)])];
        var forecaster = new RecordingForecaster();

        var scored = LeaveOneOut.Run(forecaster, files, 1, () => { }, default);

        Assert.Equal(["train 1", "train 3", "train 2", "forecast 1000"], forecaster.Calls[..4]);
        Assert.Equal([1220, 1221, 1222], scored.Select(entry => entry.Row.OutputTokens));
        Assert.Equal([200.0, 201, 202], scored.Select(entry => entry.Forecast.Median));
    }

    [Fact]
    public void Report_OfLeavingOut_ComparesTheSameRowsWithEachBaseline()
    {
        IReadOnlyList<ScoredRow> By(double median) => [Scored(Row(10), median, upper: 15), Scored(Row(20), median, upper: 15), Scored(Row(99, isCensored: true), median)];

        var report = LeaveOneOut.Report("e", ["one", "few"], [By(12), []], [[By(50), []], [By(10), []], [By(20), []]]);

        Assert.Equal(new LeaveOutFigures("one", 2, 5, 35, 5, 5, 0.5), report.Files[0]);
        Assert.Equal(report.Files[0] with { File = "all" }, report.Pooled);
        Assert.Equal(0, report.Files[1].Rows);
        Assert.True(double.IsNaN(report.Files[1].MeanAbsoluteError));
    }

    [Fact]
    public void TrainingMedian_OfWhatItLearned_IsOneNumberForAll()
    {
        var median = new TrainingMedian();
        foreach (var tokens in Enumerable.Range(1, 10))
        {
            median.Train(Row(tokens));
        }
        median.Train(Row(1_000, isCensored: true));
        median.Learn(Row(1_000));

        var forecast = median.Forecast(Row(0));

        Assert.Equal((5, 5, 9), (forecast.Mean, forecast.Median, forecast.Upper));
    }

    [Fact]
    public void RunningMedian_OfAKey_KnowsOnlyWhatEndedThere()
    {
        var median = new RunningMedian("own", row => row.Model);
        median.Train(Row(9_000));
        var before = median.Forecast(Row(0)).Median;
        foreach (var tokens in new[] { 1, 2, 3 })
        {
            median.Learn(Row(tokens, model: "a"));
            median.Learn(Row(100 * tokens, model: "b"));
        }

        Assert.Equal(256, before);
        Assert.Equal([2, 200, 3], new[] { "a", "b", "c" }.Select(model => median.Forecast(Row(0, model: model)).Median));
    }
}
