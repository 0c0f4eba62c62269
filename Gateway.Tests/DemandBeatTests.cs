using Gateway.Configuration;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests;

/// <summary>How many replicas are wished for, whoever looks and whenever.</summary>
public sealed class DemandBeatTests : IDisposable
{
    private readonly ManualTime _time = new();
    private readonly GatewayCore _core;
    private readonly DemandBeat _beat;

    public DemandBeatTests()
    {
        _core = GatewayCore.Create(new GatewayOptions { Models = [new() { Name = "m" }] }, _time, new Random(1), hashKey: 1);
        Model.Pool.SetReplicas([CorePool.Place(0, slots: 10)]);
        Model.Pool.Replicas[0].OnProbed(ReplicaHealth.Up);
        _beat = new DemandBeat(_core, _time);
    }

    public void Dispose()
    {
        _beat.Dispose();
        _core.Dispose();
    }

    [Fact]
    public void Of_LookedAtForTheFirstTimeInABurst_IsWhatItWasBefore()
    {
        _time.Advance(WorkDemand.Burst * 2);
        Enter(40);

        // 40 requests are five replicas' work, but have been there for no time yet.
        Assert.Equal(1, Desired);
    }

    [Fact]
    public void Of_WorkThatLasts_IsWhatItNeedsThoughNobodyLookedBefore()
    {
        Enter(40);
        _time.Advance(WorkDemand.Burst + TimeSpan.FromSeconds(2));

        Assert.Equal(5, Desired);
        Assert.Equal(5, Desired);
    }

    private ModelPool Model => _core.Find("m")!;

    private int Desired => DesiredReplicas.Of(Model.Pool, 0, Model.Demand);

    private void Enter(int requests)
    {
        for (var i = 0; i < requests; i++)
        {
            Model.Dispatcher.Enter(CorePool.Request(), CorePool.Cost(), Constraints.None, static _ => { });
        }
    }
}
