using Gateway.Replicas;

namespace Gateway.Tests.Replicas;

public sealed class HeldSharesTests
{
    [Fact]
    public void Remove_OfAllThatWasAddedInAnotherOrder_LeavesExactlyNothing()
    {
        var held = new HeldShares();
        PoolShares[] taken = [new(0.1, 1.0 / 3), new(1e-13, 0.2), new(2, 0)];
        Array.ForEach(taken, shares => held.Add(shares));
        Assert.Equal(2.1, held.Shares.Room, 1e-9);

        Array.ForEach([.. taken.Reverse()], shares => held.Remove(shares));

        Assert.Equal(default, held.Shares);
    }
}
