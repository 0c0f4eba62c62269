using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class EnginePriorityKeyTests
{
    private static readonly InferenceRequest Default = CorePool.Request();

    [Theory]
    [InlineData(EnginePriority.LowerFirst, 1.5, 1_500)]
    [InlineData(EnginePriority.LowerFirst, -2, -2_000)]
    [InlineData(EnginePriority.HigherFirst, 25, -2)]
    [InlineData(EnginePriority.HigherFirst, -25, 3)]
    public void Of_ADefaultRequest_IsItsRankInTheEnginesScale(EnginePriority scale, double rank, int expected) =>
        Assert.Equal(expected, EnginePriorityKey.Of(rank, Default, scale));

    [Theory]
    [InlineData(EnginePriority.LowerFirst)]
    [InlineData(EnginePriority.HigherFirst)]
    public void Of_AMoreUrgentClassOrAnEarlierArrival_GoesFirstAtEitherEnd(EnginePriority scale)
    {
        var interactive = Key(CorePool.Request(priority: PriorityClass.Interactive), 1_030, scale);
        var batch = Key(CorePool.Request(priority: PriorityClass.Batch), 970, scale);
        var level = Key(CorePool.Request(level: 1_000_000), 1_015, scale);
        var usual = Key(Default, 1_000, scale);
        var muchEarlier = Key(CorePool.Request(priority: PriorityClass.Batch), 850, scale);

        // As lower-first, whatever the scale.
        Assert.True(interactive < usual && level < usual && usual < batch && muchEarlier < usual);
    }

    [Fact]
    public void Of_RanksOfTheNextHundredYears_StaysInRangeAndKeepsTheOrderButForOneMomentEvery49Days()
    {
        var turns = 0;
        for (var rank = 0.0; rank < 100.0 * 365 * 86_400; rank += 3_600)
        {
            turns += EnginePriorityKey.Of(rank + 1, Default, EnginePriority.LowerFirst) < EnginePriorityKey.Of(rank, Default, EnginePriority.LowerFirst) ? 1 : 0;
            Assert.True(EnginePriorityKey.Of(rank + 10, Default, EnginePriority.HigherFirst) < EnginePriorityKey.Of(rank, Default, EnginePriority.HigherFirst));
        }

        Assert.InRange(turns, 0, 1);
    }

    [Theory]
    [InlineData(EnginePriority.Auto, EnginePriority.HigherFirst, true)]
    [InlineData(EnginePriority.Auto, EnginePriority.Off, false)]
    [InlineData(EnginePriority.Auto, EnginePriority.Auto, false)]
    [InlineData(EnginePriority.Off, EnginePriority.HigherFirst, false)]
    [InlineData(EnginePriority.LowerFirst, EnginePriority.Auto, true)]
    public void Enter_ByDeclarationAndProbe_HasAKeyOnlyWhereTheEngineSchedulesByIt(EnginePriority declared, EnginePriority probed, bool expected)
    {
        using var world = new CorePool(slots: null);
        world.Pool.Reconfigure(new ModelOptions { Name = "m", EnginePriority = declared }, new FaultLimits(3, TimeSpan.FromSeconds(10)));
        world.Pool.Replicas[0].Observe(new EngineReport { Priority = probed });

        var entry = world.Enter(Default);

        Assert.Equal(expected, entry.Result?.EnginePriority is not null);
    }

    [Fact]
    public void Enter_UnderAnyOrder_HasAKeyOnlyWhereTheOrdersOwnIsConstant()
    {
        foreach (var name in QueueOrders.Names)
        {
            using var world = new CorePool(slots: null);
            world.Pool.Reconfigure(new ModelOptions { Name = "m", EnginePriority = EnginePriority.LowerFirst }, new FaultLimits(3, TimeSpan.FromSeconds(10)));
            world.Plan = world.Plan with { Order = QueueOrders.Create(new QueueOptions { Order = name }, new CachedBeginnings()) };

            var entry = world.Enter(Default);

            Assert.Equal((name, name is "fcfs" or "sjf" or "boost" or "wspt" or "lamps" or "edf"), (name, entry.Result?.EnginePriority is not null));
        }
    }

    private static long Key(InferenceRequest request, double rank, EnginePriority scale) =>
        EnginePriorityKey.Of(rank, request, scale) * (scale == EnginePriority.LowerFirst ? 1L : -1L);
}
