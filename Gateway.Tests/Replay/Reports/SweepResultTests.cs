using Gateway.Replay.Reports;

namespace Gateway.Tests.Replay.Reports;

public sealed class SweepResultTests
{
    [Theory]
    [InlineData(3.0, 15.0, false)]
    [InlineData(2.0, 10.0, false)]
    [InlineData(4.0, 20.0, false)]
    [InlineData(9.0, 30.0, true)]
    public void RateWithin_ABound_LiesBetweenTheRunsAroundIt(double bound, double rate, bool isAtLeast)
    {
        var sweep = Sweep((30, 8), (10, 2), (20, 4));

        Assert.Equal(new RateAtBound(rate, isAtLeast), sweep.RateWithin(run => run.EndToEnd.Mean, bound));
    }

    [Fact]
    public void RateWithin_ABoundThatNoRunKept_IsNull() =>
        Assert.Null(Sweep((10, 2), (20, 4)).RateWithin(run => run.EndToEnd.Mean, 1));

    private static SweepResult Sweep(params (double Rate, double Seconds)[] points) => new("p", points.Select(point =>
    {
        var statistics = new RunStatistics(SloLimits.None);
        statistics.OnRequest(new RequestResult { Outcome = ReplayOutcome.Completed, EndToEnd = TimeSpan.FromSeconds(point.Seconds), OutputTokens = 1 });
        return new SweepPoint(point.Rate, statistics.Summarize());
    }));
}
