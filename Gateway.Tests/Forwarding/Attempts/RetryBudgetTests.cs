using Gateway.Forwarding.Attempts;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Forwarding.Attempts;

public sealed class RetryBudgetTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void TryTake_InABurst_GivesTwoSecondsOfTheFloor()
    {
        var budget = New(share: 0.1, perSecond: 10);

        Assert.Equal(20, Taken(budget, 100));
    }

    [Fact]
    public void TryTake_OverTime_GivesTheFloor()
    {
        var budget = New(share: 0, perSecond: 10);
        Taken(budget, 100);

        var taken = 0;
        for (var i = 0; i < 100; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            taken += Taken(budget, 5);
        }

        Assert.InRange(taken, 99, 100);
    }

    [Fact]
    public void TryTake_WithoutAFloor_GivesTheShareOfTheRequests()
    {
        var budget = New(share: 0.125, perSecond: 0);

        var taken = 0;
        for (var i = 0; i < 800; i++)
        {
            budget.OnRequest();
            taken += Taken(budget, 1);
        }

        Assert.Equal(100, taken);
    }

    [Fact]
    public void TryTake_AfterAQuietNight_GivesNoMoreThanABurst()
    {
        var budget = New(share: 0.1, perSecond: 10);

        _time.Advance(TimeSpan.FromHours(8));

        Assert.Equal(20, Taken(budget, 1_000));
    }

    [Fact]
    public void TryTake_FromManyThreads_NeverGivesMore()
    {
        var budget = New(share: 0.1, perSecond: 500);
        var taken = 0;

        Parallel.For(0, 8_000, _ => Interlocked.Add(ref taken, budget.TryTake() ? 1 : 0));

        Assert.Equal(1_000, taken);
    }

    [Fact]
    public void TryTake_RefusedAgainAndAgain_IsToldOnceAMinute()
    {
        var told = new List<long>();
        var budget = new RetryBudget(() => (0, 0), _time, told.Add);

        Taken(budget, 5);
        _time.Advance(TimeSpan.FromSeconds(59));
        Taken(budget, 2);
        _time.Advance(TimeSpan.FromSeconds(1));
        Taken(budget, 3);

        Assert.Equal([1, 7], told);
    }

    private RetryBudget New(double share, double perSecond) => new(() => (share, perSecond), _time);

    private static int Taken(RetryBudget budget, int times) => Enumerable.Range(0, times).Count(_ => budget.TryTake());
}
