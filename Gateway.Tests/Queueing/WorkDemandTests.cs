using Gateway.Queueing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class WorkDemandTests
{
    [Fact]
    public void Forecast_BeforeAnythingCame_IsUnknown()
    {
        using var pool = new CorePool(kvTokens: 10_000);

        Assert.Null(new WorkDemand(pool.Pool, pool.Time).Forecast());
    }

    [Fact]
    public void Forecast_OfASteadyStream_IsTheShareOfAReplicaThatItFills()
    {
        using var pool = new CorePool(slots: 10);
        var demand = new WorkDemand(pool.Pool, pool.Time);

        Feed(pool, demand, seconds: 60, perSecond: _ => 4);

        // By the initial rates: 100 tokens of prefill at 0.0885 ms, and a tenth of each of 50 steps of 18 ms.
        Assert.Equal(4 * ((100 * 0.0885e-3) + (50 * 0.018 / 10)), demand.Forecast()!.Value, 6);
    }

    [Fact]
    public void Forecast_WithinAWindow_TakesItForTheRoom()
    {
        using var pool = new CorePool(slots: null, kvTokens: 1_000_000);
        using var slotted = new CorePool(slots: 10);
        var (windowed, expected) = (new WorkDemand(pool.Pool, pool.Time, () => 10), new WorkDemand(slotted.Pool, slotted.Time));

        Feed(pool, windowed, seconds: 60, perSecond: _ => 4);
        Feed(slotted, expected, seconds: 60, perSecond: _ => 4);

        Assert.Equal(expected.Forecast()!.Value, windowed.Forecast()!.Value, 9);
    }

    [Fact]
    public void Forecast_OfARisingStream_IsAMinuteAhead()
    {
        using var pool = new CorePool(slots: 10);
        var (rising, steady) = (new WorkDemand(pool.Pool, pool.Time), new WorkDemand(pool.Pool, pool.Time));

        Feed(pool, rising, seconds: 115, perSecond: second => 2 + (second / 10), steady);

        // From 2 to 13 per second in 115 s: a minute on it will be about 19.
        Assert.InRange(rising.Forecast()!.Value / steady.Forecast()!.Value, 17, 20);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Ahead_OfMoreWork_IsMoreInProportion(int seed)
    {
        var chance = new Random(seed);
        var spans = Enumerable.Range(0, 24).Select(i => chance.NextDouble() + (i * 0.2)).ToArray();

        var once = WorkDemand.Ahead(spans, 5, 60);
        var thrice = WorkDemand.Ahead([.. spans.Select(span => 3 * span)], 5, 60);

        Assert.True(once >= spans.Average());
        Assert.Equal(3 * once, thrice, 9);
    }

    [Fact]
    public void Ahead_OfNoiseAndOfFallingWork_IsTheMean()
    {
        Assert.Equal(1.5, WorkDemand.Ahead([1, 2, 1, 2, 1, 2, 1, 2, 1, 2], 5, 60), 9);
        Assert.Equal(5.5, WorkDemand.Ahead([10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 5, 60), 9);
    }

    [Fact]
    public void Wish_ThatIsGone_IsKeptForItsPatience()
    {
        using var pool = new CorePool();
        var demand = new WorkDemand(pool.Pool, pool.Time);
        Assert.Null(demand.Wish);
        Assert.Equal(3, Wish(demand, there: 1, coming: 3));

        pool.Time.Advance(WorkDemand.Patience - TimeSpan.FromSeconds(1));
        Assert.Equal(3, Wish(demand, 1, 1));
        pool.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(1, Wish(demand, 1, 1));
        Assert.Equal(4, Wish(demand, 1, 4));
    }

    [Fact]
    public void Wish_ForABurst_IsMadeOnlyWhenItLasts()
    {
        using var pool = new CorePool();
        var demand = new WorkDemand(pool.Pool, pool.Time);
        Assert.Equal(1, Wish(demand, there: 1, coming: 1));

        for (var second = 0; second < WorkDemand.Burst.TotalSeconds; second++)
        {
            pool.Time.Advance(TimeSpan.FromSeconds(1));
            Assert.Equal(1, Wish(demand, there: 5, coming: 1));
        }
        pool.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(5, Wish(demand, there: 5, coming: 1));
    }

    private static int? Wish(WorkDemand demand, int there, int coming)
    {
        demand.Note(there, coming);
        return demand.Wish;
    }

    private static void Feed(CorePool pool, WorkDemand demand, int seconds, Func<int, int> perSecond, WorkDemand? steady = null)
    {
        for (var second = 0; second < seconds; second++)
        {
            for (var i = 0; i < perSecond(second); i++)
            {
                demand.OnArrived(CorePool.Cost());
            }
            steady?.OnArrived(CorePool.Cost());
            pool.Time.Advance(TimeSpan.FromSeconds(1));
        }
    }
}
