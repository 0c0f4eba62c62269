using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class FleetTests
{
    private readonly Fleet _fleet = new();

    [Fact]
    public void Find_ByNameOrAlias_GivesThePool()
    {
        var a = NewPool("a", "alpha", "first");
        var b = NewPool("b");

        _fleet.SetPools([a, b]);

        Assert.Same(a, _fleet.Find("a"));
        Assert.Same(a, _fleet.Find("alpha"));
        Assert.Same(b, _fleet.Find("b"));
        Assert.Null(_fleet.Find("A"));
        Assert.Equal([a, b], _fleet.Pools);
    }

    [Fact]
    public void Find_WhenAnAliasIsAlsoAName_PrefersTheName()
    {
        var a = NewPool("a", "b");
        var b = NewPool("b", "a");

        _fleet.SetPools([a, b]);

        Assert.Same(a, _fleet.Find("a"));
        Assert.Same(b, _fleet.Find("b"));
    }

    [Fact]
    public void SetPools_Again_ForgetsTheOldOnes()
    {
        _fleet.SetPools([NewPool("a", "alpha")]);

        _fleet.SetPools([NewPool("b")]);

        Assert.Null(_fleet.Find("a"));
        Assert.Null(_fleet.Find("alpha"));
    }

    private static Pool NewPool(string name, params string[] aliases) =>
        new(new ModelOptions { Name = name, Aliases = aliases }, new FaultLimits(3, TimeSpan.FromSeconds(10)), new ManualTime());
}
