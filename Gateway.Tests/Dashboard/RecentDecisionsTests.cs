using Gateway.Dashboard;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Dashboard;

public sealed class RecentDecisionsTests
{
    private readonly SetTime _time = new();

    [Fact]
    public void After_MoreThanAreKept_ReturnsTheNewestInTheirOrder()
    {
        var recent = new RecentDecisions(_time);
        for (var i = 1; i <= RecentDecisions.Capacity + 50; i++)
        {
            recent.Add(Made($"q{i}"), null);
        }

        var all = recent.After(0);

        Assert.Equal(Enumerable.Range(51, RecentDecisions.Capacity).Select(number => (long)number), all.Select(decision => decision.Number));
        Assert.Equal("q51", all[0].RequestId);
        Assert.Equal([249L, 250L], recent.After(248).Select(decision => decision.Number));
        Assert.Empty(recent.After(250));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(long.MaxValue)]
    public void After_ANumberOfTheProcessBefore_ReturnsAll(long number)
    {
        var recent = new RecentDecisions(_time);
        recent.Add(Made("q1"), null);
        recent.Add(Made("q2"), null);

        Assert.Equal(["q1", "q2"], recent.After(number).Select(decision => decision.RequestId));
    }

    [Fact]
    public void WantsPlaces_WhileNobodyLooks_IsFalse()
    {
        var recent = new RecentDecisions(_time);

        Assert.False(recent.WantsPlaces());
    }

    [Fact]
    public void WantsPlaces_WhileSomebodyLooks_IsTrueNowAndThen()
    {
        var recent = new RecentDecisions(_time);
        recent.Watch(begins: true);

        Assert.True(recent.WantsPlaces());
        Assert.False(recent.WantsPlaces());
        _time.Advance(TimeSpan.FromMilliseconds(500));
        Assert.True(recent.WantsPlaces());
        recent.Watch(begins: false);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.False(recent.WantsPlaces());
    }

    [Fact]
    public void Add_WithAnExplanation_KeepsTheCheapestPlaces()
    {
        using var pool = new CorePool(replicas: 9);
        var recent = new RecentDecisions(_time);

        recent.Add(Made("q"), pool.Dispatcher.Explain(CorePool.Request(), CorePool.Cost()));

        var places = Assert.Single(recent.After(0)).Places;
        Assert.Equal(RecentDecisions.MaxPlaces, places.Count);
        Assert.Equal(places.OrderBy(place => place.Cost), places);
    }

    [Fact]
    public void Why_OfEveryEnding_IsASentence()
    {
        foreach (var outcome in Enum.GetValues<AdmissionOutcome>())
        {
            foreach (var hold in Enum.GetValues<HoldReason>())
            {
                foreach (var reason in Enum.GetValues<PlacementReason>())
                {
                    var why = DecisionWords.Why(Made("q") with { Outcome = outcome, HeldFor = hold, Reason = reason });
                    Assert.EndsWith(".", why, StringComparison.Ordinal);
                    Assert.Equal(hold != HoldReason.None, why.Contains("had to wait", StringComparison.Ordinal));
                }
            }
        }
    }

    [Fact]
    public void Why_OfEveryReason_IsASentenceOfItsOwn()
    {
        var reasons = Enum.GetValues<PlacementReason>().Except([PlacementReason.None]).Select(reason => DecisionWords.Why(Made("q") with { Reason = reason }));
        var holds = Enum.GetValues<HoldReason>().Except([HoldReason.None]).Select(DecisionWords.WaitsFor);

        Assert.All([reasons, holds], words => Assert.Distinct(words));
    }

    [Theory]
    [InlineData(AdmissionOutcome.Admitted, "sent")]
    [InlineData(AdmissionOutcome.RejectedQueueFull, "refused")]
    [InlineData(AdmissionOutcome.CanceledByClient, "left")]
    public void Ending_OfADecision_CallsNobodyRefusedWhoLeft(AdmissionOutcome outcome, string word) => Assert.Equal(word, DecisionWords.Ending(outcome));

    private static Decision Made(string id) => new() { At = DateTimeOffset.UnixEpoch, RequestId = id, Model = "m", Priority = PriorityClass.Default, Outcome = AdmissionOutcome.Admitted, ReplicaId = "r0" };
}
