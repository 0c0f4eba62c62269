using Gateway.Forwarding;

namespace Gateway.Tests.Forwarding;

public class BodyBudgetTests
{
    private readonly BodyBudget _budget = new(100);

    [Fact]
    public void Take_OfATenantForSeveralBodies_LeavesAsMuchFree()
    {
        var flood = _budget.For(tenant: 1);

        Assert.True(flood.TryTake(30, ownBytes: 0));
        Assert.True(flood.TryTake(20, ownBytes: 0));
        Assert.False(flood.TryTake(1, ownBytes: 0));
        Assert.True(_budget.For(tenant: 2).TryTake(50, ownBytes: 0));
        Assert.Equal(100, _budget.TakenBytes);
    }

    [Fact]
    public void Take_OfATenantForASingleBody_MayBeAll()
    {
        var lone = _budget.For(tenant: 1);

        Assert.True(lone.TryTake(40, ownBytes: 0));
        Assert.True(lone.TryTake(60, ownBytes: 40));
        Assert.False(_budget.For(tenant: 2).TryTake(1, ownBytes: 0));
    }

    [Fact]
    public void Take_WithoutATenant_IsBoundedByTheLimitAlone()
    {
        var anybody = _budget.For(tenant: 0);

        Assert.True(anybody.TryTake(60, ownBytes: 0));
        Assert.True(anybody.TryTake(40, ownBytes: 0));
        Assert.False(anybody.TryTake(1, ownBytes: 0));
    }

    [Fact]
    public void Return_OfABodyThatFoundNoRoomAtAll_ChangesNothing()
    {
        Assert.True(_budget.For(tenant: 1).TryTake(100, ownBytes: 0));
        using var refused = RequestBytes.Begin(_budget.For(tenant: 2));

        refused.Dispose();

        Assert.True(refused.IsRefused);
        Assert.Equal(100, _budget.TakenBytes);
    }

    [Fact]
    public void Return_OfWhatATenantTook_GivesItToOthersAndToItself()
    {
        var flood = _budget.For(tenant: 1);
        Assert.True(flood.TryTake(50, ownBytes: 0));

        flood.Return(50);

        Assert.Equal(0, _budget.TakenBytes);
        Assert.True(flood.TryTake(50, ownBytes: 0));
    }
}
