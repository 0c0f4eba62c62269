using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>What clients were served, and the most that any was.</summary>
public sealed class ServedAccountsTests(ITestOutputHelper output)
{
    [Fact]
    public void Most_AfterATurnInVain_IsWhatTheOthersWereServed()
    {
        var served = new ServedAccounts();
        served.Charge(Of(1), new ServedTokens(100, 0));
        var vain = served.OnTurn(Of(2), CorePool.Cost(1_000, 50), cachedTokens: 0);

        Assert.Equal(1_100, served.Most);
        served.Charge(Of(2), default(ServedTokens) - vain);
        Assert.Equal(100, served.Most);
    }

    [Fact]
    public void OnEntered_AfterATurnInVain_LeavesAClientItsBurst()
    {
        // Client 1 was served 9,000. Client 2, served nothing, is lifted to 7,400 when it comes: a request of 1,500 later it is still before the first.
        var order = new TokenCounterOrder(new FcfsOrder(), burstTokens: 1_600);
        order.Charge(Of(1), new ServedTokens(9_000, 0));
        var vain = order.OnTurn(Of(3), CorePool.Cost(10_000, 0), cachedTokens: 0, TimeSpan.Zero);
        order.Charge(Of(3), default(ServedTokens) - vain);
        order.OnEntered(Of(2), isFirst: true);
        order.Charge(Of(2), new ServedTokens(1_500, 0));

        using var world = new CorePool();
        Waiter[] waiting = [Waits(1, 0), Waits(2, 1)];
        Assert.Equal(1, order.Select(waiting, TimeSpan.Zero));

        Waiter Waits(ulong tenant, long sequence) => new(world.Dispatcher, Of(tenant), CorePool.Cost(), Constraints.None, _ => { }) { Sequence = sequence };
    }

    [Theory]
    [InlineData(21)]
    [InlineData(22)]
    [InlineData(23)]
    public void Most_UnderRandomCharges_IsTheHighestCount(int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var served = new ServedAccounts();
        for (var i = 0; i < 2_000; i++)
        {
            served.Charge(Of((ulong)chance.Next(1, 9)), new ServedTokens(chance.Next(-400, 500), chance.Next(-40, 50)));

            Assert.Equal(Enumerable.Range(1, 8).Max(tenant => served.OfClient(Of((ulong)tenant))), served.Most);
        }
    }

    [Fact]
    public void Charge_OfMoreKeysThanAreKept_ForgetsTheLeastServed()
    {
        var counters = new ServiceCounters();
        for (var key = 1ul; key <= 100_001; key++)
        {
            counters.Charge(key, key);
        }

        // Those that were forgotten start again from the one of them that was served most.
        Assert.Equal(counters.Of(2), counters.Of(1));
        Assert.InRange(counters.Of(1), 50_000, 50_002);
        Assert.Equal(99_999, counters.Of(99_999));
        Assert.Equal(counters.Of(100_001), counters.Most);
    }

    private static InferenceRequest Of(ulong tenant) => CorePool.Request() with { TenantKey = tenant };
}
