using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

public sealed class SlowStartTests
{
    private static readonly TimeSpan SlowStart = TimeSpan.FromSeconds(30);

    private readonly Fakes.ManualTime _time = new();

    [Fact]
    public void Recall_OfAReplicaThatCameUpLater_CountsItsLoadLessAndLess()
    {
        var memory = InUse();
        List<double> cold = [ColdnessOf(memory, slot: 1)];

        foreach (var seconds in new[] { 1.5, 4.5, 9, 15, 60 })
        {
            _time.Advance(TimeSpan.FromSeconds(seconds));
            cold.Add(ColdnessOf(memory, slot: 1));
        }

        // A tenth at first, then elapsed over 30 s: 1.5, 6, 15 and 30 s.
        Assert.Equal([9, 9, 4, 1, 0, 0], cold.Select(value => Math.Round(value, 9)));
    }

    [Fact]
    public void Recall_AfterARecoveryOrForAnotherInTheSlot_IsCold()
    {
        var memory = InUse();
        var atStart = ColdnessOf(memory, slot: 0);

        ColdnessOf(memory, slot: 0, ReplicaHealth.Down);
        var recovered = ColdnessOf(memory, slot: 0);
        _time.Advance(SlowStart);
        var later = ColdnessOf(memory, slot: 0);
        var another = ColdnessOf(memory, slot: 0, id: "other");

        Assert.Equal((0.0, 9.0, 0.0, 9.0), (atStart, recovered, later, another));
    }

    [Fact]
    public void Enter_WhenAReplicaJoinsABusyPool_SendsItSomethingAndNotEverything()
    {
        using var world = new CorePool(3, slots: null, routing: new RoutingOptions { Prefix = new PrefixOptions { Enabled = false } });
        for (var i = 0; i < 30; i++)
        {
            world.Enter(CorePool.Request());
        }
        world.SetReplicas([.. Enumerable.Range(0, 4).Select(i => CorePool.Place(i, null))]);

        var next = Enumerable.Range(0, 12).Select(_ => world.Enter(CorePool.Request()).Replica).ToList();

        Assert.InRange(next.Count(replica => replica == "r3"), 1, 6);
    }

    private PlacementMemory InUse()
    {
        var memory = new PlacementMemory(_time);
        ColdnessOf(memory, slot: 0);
        memory.OnChosen(At(0, ReplicaHealth.Up, "r"), CorePool.Cost());
        return memory;
    }

    private double ColdnessOf(PlacementMemory memory, int slot, ReplicaHealth health = ReplicaHealth.Up, string id = "r")
    {
        var candidate = At(slot, health, id);
        memory.Recall(ref candidate, SlowStart, _time.GetTimestamp());
        return candidate.Coldness;
    }

    private static Candidate At(int slot, ReplicaHealth health, string id) =>
        new() { Replica = new ReplicaSnapshot { Id = id, Slot = slot, Health = health, Weight = 1, Report = EngineReport.Empty } };
}
