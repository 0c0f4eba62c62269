using Gateway.Dashboard;
using Gateway.Replicas;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Dashboard;

public class FleetRowsTests
{
    [Fact]
    public void Of_ALargeFleet_MarksAllAndListsThoseInTroubleFirst()
    {
        var fleet = FleetOf(1_000, up: index => index != 700);

        var rows = FleetRows.Of(fleet, null, "");

        Assert.Equal((1_000, 999, 1_000), (rows.Replicas, rows.Up, rows.Found));
        Assert.Equal(FleetRows.MaxRows, rows.Rows.Count);
        Assert.Equal("gpu-700", rows.Rows[0].Replica.Id);
        Assert.Equal("gpu-0", rows.Rows[1].Replica.Id);
        Assert.Equal(2_000, rows.Marks.Length);
        Assert.Equal("x0", rows.Marks[1_400..1_402]);
    }

    [Fact]
    public void Of_AReplicaThatOtherGatewaysUse_CountsTheOwnRequestsAndAllThatFillsIt()
    {
        var fleet = FleetOf(1, _ => true);
        var replica = fleet.Pools[0].ReplicaList[0];
        replica.Observe(new EngineReport { KvCapacityTokens = 2_000 });
        using var own = replica.TryReserve(new LoadProfile(100, 100, 50, 1), new NoAdmission(), 1)!;
        var before = FleetRows.FullnessOf(replica.Snapshot());
        replica.ObservePeers(new GatewayLoad(2, 2, 900, 0, 0), [], gateways: 2);

        var rows = FleetRows.Of(fleet, null, "");

        Assert.Equal(1, rows.Running);
        Assert.True(FleetRows.FullnessOf(rows.Rows[0].Replica) > before);
    }

    [Fact]
    public void Of_MoreThanCanBeMarked_MarksAsManyAsAreAllowed()
    {
        var rows = FleetRows.Of(FleetOf(FleetRows.MaxMarks + 10, _ => true), null, "");

        Assert.Equal(2 * FleetRows.MaxMarks, rows.Marks.Length);
    }

    [Fact]
    public void Of_APartOfAName_ListsWhoeverHasIt()
    {
        var rows = FleetRows.Of(FleetOf(1_000, _ => true), null, "GPU-99");

        Assert.Equal(11, rows.Found);
        Assert.All(rows.Rows, row => Assert.StartsWith("gpu-99", row.Replica.Id, StringComparison.Ordinal));
        Assert.Equal(1_000, rows.Replicas);
    }

    [Fact]
    public void Of_OneModel_LeavesOutTheOthers() => Assert.Empty(FleetRows.Of(FleetOf(3, _ => true), "another", "").Rows);

    [Theory]
    [InlineData(0.0, "u0")]
    [InlineData(0.5, "u4")]
    [InlineData(1.0, "u9")]
    public void Marks_OfAFilledReplica_SayHowFull(double usage, string mark)
    {
        var fleet = FleetOf(1, _ => true);
        fleet.Pools[0].ReplicaList[0].Observe(new EngineReport { KvUsage = usage });

        Assert.Equal(mark, FleetRows.Of(fleet, null, "").Marks);
    }

    [Fact]
    public void Rows_OfAReplicaThatGetsNoWork_SayWhy()
    {
        var fleet = FleetOf(2, _ => true);
        fleet.Pools[0].ReplicaList[1].OnProbed(ReplicaHealth.Down, "Connection refused");

        Assert.Equal([null, "Connection refused"], FleetRows.Of(fleet, null, "").Rows.Select(row => row.Reason));
    }

    private static Fleet FleetOf(int replicas, Func<int, bool> up)
    {
        var pool = new Pool(new ModelOptions { Name = "m" }, new FaultLimits(5, TimeSpan.FromSeconds(10)), new SetTime());
        pool.SetReplicas([.. Enumerable.Range(0, replicas).Select(index => new ReplicaPlace($"gpu-{index}", new Uri("http://engine:8000/"), new ReplicaOptions()))]);
        for (var i = 0; i < replicas; i++)
        {
            pool.ReplicaList[i].OnProbed(up(i) ? ReplicaHealth.Up : ReplicaHealth.Down);
        }
        var fleet = new Fleet();
        fleet.SetPools([pool]);
        return fleet;
    }
}
