using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests;

/// <summary>What a model's parts learn from each other.</summary>
public sealed class ModelPoolTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly GatewayCore _core;

    public ModelPoolTests() => _core = GatewayCore.Create(
        new GatewayOptions { Models = [new ModelOptions { Name = "m", Replicas = [new ReplicaOptions { Url = new("http://10.0.0.1:1") }] }] }, _time, new Random(1), 7);

    public void Dispose() => _core.Dispose();

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 40)]
    public void OnReported_OfAReplicaThatLeft_TeachesNothingOfWhoeverHasItsSlot(bool hasLeft, int believed)
    {
        var (model, routing) = (_core.Find("m")!, _core.Options.Routing);
        model.Pool.SetReplicas([CorePool.Place(0)]);
        var asked = model.Pool.ReplicaList[0];
        if (hasLeft)
        {
            model.Pool.SetReplicas([]);
            model.Pool.SetReplicas([CorePool.Place(1)]);
            Assert.Equal(asked.Slot, model.Pool.ReplicaList[0].Slot);
        }

        for (var i = 0; i < 200; i++)
        {
            model.OnReported(asked, promptTokens: 100, believedTokens: 100, TimeSpan.FromMinutes(1), cachedTokens: 0);
        }

        var request = CorePool.Request(blocks: [1, 2, 3, 4]);
        model.Prefixes.Record(request, CorePool.Cost(100, 10), asked.Slot, capacityTokens: 120, routing);
        var hits = new int[1];
        model.Prefixes.Match(request, 100, routing, model.Pool.Replicas, hits);
        Assert.Equal(believed, hits[0]);
    }

    [Fact]
    public void Observe_OfAnEngineThatCountsFromTheBeginning_TakesItsPrefixCacheForEmpty()
    {
        var (model, routing) = (_core.Find("m")!, _core.Options.Routing);
        model.Pool.SetReplicas([CorePool.Place(0)]);
        var replica = model.Pool.ReplicaList[0];
        var request = CorePool.Request(blocks: [1, 2, 3, 4]);
        var (before, after) = (new int[1], new int[1]);

        replica.Observe(new EngineReport { Progress = 700 });
        model.Prefixes.Record(request, CorePool.Cost(100, 10), replica.Slot, null, routing);
        model.Prefixes.Match(request, 100, routing, model.Pool.Replicas, before);
        replica.Observe(new EngineReport { Progress = 2 });
        model.Prefixes.Match(request, 100, routing, model.Pool.Replicas, after);

        Assert.Equal((40, 0), (before[0], after[0]));
    }
}
