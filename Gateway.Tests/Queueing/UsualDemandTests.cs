using Gateway.Queueing;

namespace Gateway.Tests.Queueing;

/// <summary>What somebody usually asks for. Twenty halves of a minute are one period.</summary>
public sealed class UsualDemandTests
{
    private const int Period = 20;

    [Theory]
    [InlineData(0, null)]
    [InlineData(2, null)]
    [InlineData(3, 5.0)]
    public void At_OfANewcomer_IsUnknownUntilAWholePeriodIsTwoPeriodsOld(int period, double? usual)
    {
        var demand = new UsualDemand(0);
        for (var now = 0; now <= period; now++)
        {
            demand.Note(now * Period, 5);
        }

        Assert.Equal(usual, demand.At(period * Period));
    }

    [Fact]
    public void At_AfterAChangeThatLasts_BecomesTheNewUsualWithinTwentyMinutes()
    {
        var demand = Steady(asked: 5, periods: 8);

        demand.Note((8 * Period) + 19, 40);
        demand.Note(9 * Period, 40);

        Assert.Equal(5, demand.At((10 * Period) - 1));
        Assert.Equal(40, demand.At(10 * Period));
    }

    [Fact]
    public void At_AfterABurst_RemembersItForAnHour()
    {
        var demand = Steady(asked: 5, periods: 4);
        demand.Note(4 * Period, 30);

        for (var period = 5; period < 13; period++)
        {
            demand.Note(period * Period, 5);
            Assert.Equal(period is >= 6 and < 12 ? 30 : 5, demand.At(period * Period));
        }
    }

    [Theory]
    [InlineData(7, 5.0, false)]
    [InlineData(8, null, true)]
    public void At_OfWhoStaysAway_ForgetsItAfterAnHour(int periodsAway, double? usual, bool isForgotten)
    {
        var demand = Steady(asked: 5, periods: 8);

        Assert.Equal(usual, demand.At((7 + periodsAway) * Period));
        Assert.Equal(isForgotten, demand.IsForgotten((7 + periodsAway) * Period));
    }

    [Fact]
    public void Of_MoreClientsThanAreKept_MakesRoomOnlyByForgetting()
    {
        var demands = new UsualDemands();
        for (var client = 1UL; client <= 10_000; client++)
        {
            Assert.NotNull(demands.Of(client, half: 0));
        }

        Assert.Null(demands.Of(20_000, half: 1));
        demands.Of(1, half: 8 * Period)!.Note(8 * Period, 1);
        Assert.NotNull(demands.Of(20_000, half: 8 * Period));
        Assert.Equal(2, demands.Count);
    }

    private static UsualDemand Steady(double asked, int periods)
    {
        var demand = new UsualDemand(0);
        for (var period = 0; period < periods; period++)
        {
            demand.Note(period * Period, asked);
        }
        return demand;
    }
}
