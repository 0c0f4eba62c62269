using Gateway.Dashboard;
using Gateway.Learning;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Dashboard;

public class LatencyHistoryTests
{
    private const double BucketError = 0.13;

    private static readonly TimeSpan Slot = TimeSpan.FromSeconds(LatencyHistory.SlotSeconds);

    private readonly SetTime _time = new();

    [Fact]
    public void Read_OfManyGaps_IsWithinABucketOfTheTrueQuantiles()
    {
        const int Seed = 11;
        var random = new Random(Seed);
        var history = new LatencyHistory(_time);
        var gaps = Enumerable.Range(0, 5_000).Select(_ => 0.002 * Math.Exp(3 * random.NextDouble())).ToArray();
        foreach (var gap in gaps)
        {
            history.OnTokenGap("m", gap);
        }
        Array.Sort(gaps);

        var now = history.Read(LatencyKind.TokenGap, "m")[^1];

        Assert.True(Math.Abs((now.Median!.Value / gaps[2_499]) - 1) < BucketError, $"seed {Seed}: {now.Median} for {gaps[2_499]}");
        Assert.True(Math.Abs((now.Upper!.Value / gaps[4_949]) - 1) < BucketError, $"seed {Seed}: {now.Upper} for {gaps[4_949]}");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1e-9)]
    [InlineData(86_400)]
    public void Read_OfAnExtremeDuration_IsANumber(double seconds)
    {
        var history = new LatencyHistory(_time);

        history.OnTokenGap("m", seconds);

        Assert.InRange(history.Read(LatencyKind.TokenGap, "m")[^1].Upper!.Value, 0, 86_400);
    }

    [Fact]
    public void Read_AsTimePasses_MovesThePointToTheLeftAndForgetsIt()
    {
        var history = new LatencyHistory(_time);
        history.OnTokenGap("m", 0.1);

        for (var ago = 0; ago < LatencyWindow.Slots; ago++)
        {
            var points = history.Read(LatencyKind.TokenGap, "m");
            Assert.Equal(points.Length - 1 - ago, Array.FindIndex(points, point => point.Median is not null));
            _time.Advance(Slot);
        }

        Assert.DoesNotContain(history.Read(LatencyKind.TokenGap, "m"), point => point.Median is not null);
    }

    [Fact]
    public void Read_WhenASlotIsUsedAgain_CountsOnlyWhatIsNew()
    {
        var history = new LatencyHistory(_time);
        history.OnTokenGap("m", 10);
        _time.Advance(Slot * LatencyWindow.Slots);
        history.OnTokenGap("m", 0.1);

        Assert.InRange(history.Read(LatencyKind.TokenGap, "m")[^1].Upper!.Value, 0.08, 0.12);
    }

    [Fact]
    public void Read_OfAllModels_PutsTheirCountsTogether()
    {
        var history = new LatencyHistory(_time);
        for (var i = 0; i < 10; i++)
        {
            history.OnTokenGap("fast", 0.01);
            history.OnTokenGap("slow", 1);
        }

        Assert.InRange(history.Read(LatencyKind.TokenGap, "fast")[^1].Upper!.Value, 0.008, 0.012);
        var both = history.Read(LatencyKind.TokenGap, null)[^1];
        Assert.InRange(both.Median!.Value, 0.008, 0.012);
        Assert.InRange(both.Upper!.Value, 0.8, 1.2);
    }

    [Fact]
    public void OnCompleted_OfAStream_CountsItsFirstTokenAndItsEnd()
    {
        var history = new LatencyHistory(_time);
        var completed = TelemetryWorld.Completed();

        history.OnCompleted(completed);

        Assert.Equal(completed.TimeToFirstToken!.Value.TotalSeconds, history.Read(LatencyKind.FirstToken, TelemetryWorld.Model)[^1].Median!.Value, completed.TimeToFirstToken.Value.TotalSeconds * BucketError);
        Assert.Equal(completed.Duration.TotalSeconds, history.Read(LatencyKind.Answer, TelemetryWorld.Model)[^1].Median!.Value, completed.Duration.TotalSeconds * BucketError);
    }

    [Theory]
    [InlineData(RequestOutcome.Failed)]
    [InlineData(RequestOutcome.Canceled)]
    [InlineData(RequestOutcome.Refused)]
    public void OnCompleted_OfWhatWasNoWholeAnswer_CountsNothing(RequestOutcome outcome)
    {
        var history = new LatencyHistory(_time);

        history.OnCompleted(TelemetryWorld.Completed() with { Outcome = outcome });

        Assert.Null(history.Read(LatencyKind.Answer, null)[^1].Median);
    }
}
