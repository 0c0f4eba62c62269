using Gateway.Estimation;

namespace Gateway.Tests.Estimation;

public sealed class LengthTallyTests
{
    [Theory]
    [InlineData(0, 0.25)]
    // Each counts in proportion to its number: (50 / 200)².
    [InlineData(0.5, 0.0625)]
    public void Add_AfterABeginningThatWasOtherwise_RemembersOfItWhatIsNotOutgrown(double outgrown, double share)
    {
        var tally = new LengthTally(LengthTally.Exponential(256), 100_000, outgrown);
        AddMany(tally, 50, 4_000);

        AddMany(tally, 150, 250);

        Assert.InRange(tally.Weights[LengthHistogram.BinOf(4_000)] / tally.Total, share - 0.02, share + 0.02);
        Assert.Equal(tally.Weights.ToArray().Sum(), tally.Total, 6);
    }

    [Fact]
    public void Add_WithABeginningToOutgrow_FollowsNoSingleAnswer()
    {
        var tally = new LengthTally(LengthTally.Exponential(256), 100_000, 0.5);
        AddMany(tally, 20, 250);

        tally.Add(4_000, isCensored: false);

        Assert.True(tally.Weights[LengthHistogram.BinOf(4_000)] < 0.15 * tally.Total);
    }

    private static void AddMany(LengthTally tally, int count, double tokens)
    {
        for (var i = 0; i < count; i++)
        {
            tally.Add(tokens, isCensored: false);
        }
    }
}
