using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing.Shadows;

public sealed class ShadowWorldTests
{
    [Fact]
    public void Enter_BeyondWhatAWorldHolds_RefusesInsteadOfGrowing()
    {
        var endings = new List<ShadowEnding>();
        var fleet = new ReplicaSnapshot[] { new() { Id = "a", CapacityTokens = 10_000, Weight = 1, Report = EngineReport.Empty } };
        var routing = new RoutingOptions();
        var dispatch = new DispatchPlan(new QueueOptions(), routing, new FcfsOrder(), new NoAdmission());
        using var world = new ShadowWorld(
            new ModelOptions { Name = "m" }, fleet, 1 << 20, (_, _) => new ShadowPlans(dispatch, RoutingPolicies.Plan(routing, new Random(1))), new Random(2), endings.Add);

        for (var i = 1; i <= ShadowWorld.MostAnswers + 5; i++)
        {
            world.Enter(i, CorePool.Request(), CorePool.Cost(), outputTokens: 10);
        }
        var refused = endings.Select(ending => (ending.Number, ending.AnswerSeconds)).ToArray();
        world.AdvanceTo(TimeSpan.FromSeconds(10));
        world.Enter(ShadowWorld.MostAnswers + 6, CorePool.Request(), CorePool.Cost(), outputTokens: 10);

        Assert.Equal(Enumerable.Range(1, 5).Select(i => ((long)ShadowWorld.MostAnswers + i, (double?)null)), refused);
        Assert.True(endings.Count > 5);
        Assert.DoesNotContain(endings, ending => ending.Number == ShadowWorld.MostAnswers + 6);
    }
}
