using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class PoolTests
{
    private static readonly FaultLimits Faults = new(3, TimeSpan.FromSeconds(10));

    private readonly ManualTime _time = new();
    private readonly Pool _pool;

    public PoolTests() => _pool = new Pool(new ModelOptions { Name = "m" }, Faults, _time);

    [Fact]
    public void SetReplicas_WithReplicasThatStay_KeepsTheirLedgerHealthAndSlot()
    {
        _pool.SetReplicas([Place("a"), Place("b")]);
        var staying = _pool.Find("b")!;
        staying.OnProbed(ReplicaHealth.Up);
        using var reservation = staying.TryReserve(new LoadProfile(10, 10, 10, 1), 1);

        _pool.SetReplicas([Place("b", weight: 2), Place("c")]);

        Assert.Same(staying, _pool.Find("b"));
        Assert.Equal((20L, 1, 2.0), (staying.Snapshot().ReservedTokens, staying.Slot, staying.Snapshot().Weight));
        Assert.Equal(["b", "c"], _pool.ReplicaList.Select(replica => replica.Id));
    }

    [Fact]
    public void SetReplicas_WithReplicasThatStay_TellsOfItOutsideItsLock()
    {
        _pool.SetReplicas([Place("a")]);
        var entered = new List<bool>();
        _pool.RoomReturned += () => entered.Add(Task.Run(() => _pool.Reconfigure(new ModelOptions { Name = "m" }, Faults)).Wait(TimeSpan.FromSeconds(5)));

        _pool.SetReplicas([Place("a", weight: 2)]);

        Assert.NotEmpty(entered);
        Assert.DoesNotContain(false, entered);
    }

    [Fact]
    public void SetReplicas_WithoutAReplica_DrainsItAndItsAnswersFinish()
    {
        _pool.SetReplicas([Place("a")]);
        var leaving = _pool.Find("a")!;
        leaving.OnProbed(ReplicaHealth.Up);
        var running = leaving.TryReserve(new LoadProfile(10, 10, 10, 1), 1);

        _pool.SetReplicas([]);
        var whileRunning = leaving.Snapshot();
        running!.Dispose();

        Assert.Equal((ReplicaHealth.Draining, 1), (whileRunning.Health, whileRunning.RunningRequests));
        Assert.Equal(0, leaving.Snapshot().RunningRequests);
        Assert.Null(_pool.Find("a"));
        Assert.False(_pool.CanServe);
    }

    [Fact]
    public void SetReplicas_WithAnotherAddressUnderTheSameId_IsAnotherReplica()
    {
        _pool.SetReplicas([Place("a")]);
        var before = _pool.Find("a");

        _pool.SetReplicas([new ReplicaPlace("a", new Uri("http://elsewhere:1"), new ReplicaOptions())]);

        Assert.NotSame(before, _pool.Find("a"));
        Assert.Equal(ReplicaHealth.Draining, before!.Health);
    }

    [Fact]
    public void SetReplicas_WhenSlotsAreFree_ReusesThemOnlyAfterTheirEndWasTold()
    {
        var freed = new List<int>();
        _pool.SlotFreed += freed.Add;
        _pool.SetReplicas([Place("a"), Place("b"), Place("c")]);

        _pool.SetReplicas([Place("a"), Place("c"), Place("d")]);
        var d = _pool.Find("d")!.Slot;
        _pool.SetReplicas([Place("a"), Place("c"), Place("d"), Place("e")]);

        Assert.Equal([1], freed);
        Assert.Equal((3, 1), (d, _pool.Find("e")!.Slot));
    }

    [Fact]
    public void SetReplicas_CalledWhileASlotIsBeingToldFree_DoesNotGiveItOut()
    {
        _pool.SetReplicas([Place("a")]);
        var freed = _pool.Find("a")!.Slot;
        var given = -1;
        _pool.SlotFreed += slot =>
        {
            if (given < 0)
            {
                given = 0;
                _pool.SetReplicas([Place("b"), Place("c")]);
                given = _pool.Find("c")!.Slot;
            }
        };

        _pool.SetReplicas([Place("b")]);

        Assert.NotEqual(freed, given);
    }

    [Fact]
    public void SetReplicas_WithOneIdTwice_TakesTheFirstAndCanChangeAgain()
    {
        _pool.SetReplicas([Place("a", weight: 5), Place("a")]);

        _pool.SetReplicas([Place("a", weight: 6), Place("b"), Place("a")]);

        Assert.Equal(["a", "b"], _pool.ReplicaList.Select(replica => replica.Id));
        Assert.Equal(6, _pool.Find("a")!.Snapshot().Weight);
    }

    [Fact]
    public void RoomReturned_WhenARequestEnds_IsRaisedByThePool()
    {
        _pool.SetReplicas([Place("a")]);
        _pool.Find("a")!.OnProbed(ReplicaHealth.Up);
        var reservation = _pool.Find("a")!.TryReserve(new LoadProfile(1, 1, 1, 1), 1);
        var woken = 0;
        _pool.RoomReturned += () => woken++;

        reservation!.Dispose();

        Assert.Equal(1, woken);
    }

    [Fact]
    public void ContextTokens_WithAndWithoutASetting_IsTheSettingElseTheSmallestReported()
    {
        _pool.SetReplicas([Place("a"), Place("b"), Place("c")]);
        var unknown = _pool.ContextTokens;
        _pool.Find("a")!.Observe(new EngineReport { ContextTokens = 8_000 });
        _pool.Find("b")!.Observe(new EngineReport { ContextTokens = 4_000 });
        var reported = _pool.ContextTokens;

        _pool.Reconfigure(new ModelOptions { Name = "m", ContextTokens = 2_000 }, Faults);

        Assert.Equal((null, 4_000, 2_000), (unknown, reported, _pool.ContextTokens));
    }

    [Fact]
    public void Reconfigure_ThenSetReplicas_GivesReplicasTheNewFaultLimits()
    {
        _pool.SetReplicas([Place("a"), Place("b")]);
        _pool.Find("a")!.OnProbed(ReplicaHealth.Up);
        _pool.Find("b")!.OnProbed(ReplicaHealth.Up);
        _pool.Reconfigure(new ModelOptions { Name = "m" }, Faults with { FailuresToOpen = 1 });
        _pool.SetReplicas([Place("a"), Place("b")]);

        _pool.Find("a")!.OnFault();

        Assert.Equal(ReplicaHealth.Suspended, _pool.Find("a")!.Health);
    }

    [Fact]
    public void OnFault_OfTheLastReplicaThatTakesWork_DoesNotSuspendIt()
    {
        _pool.SetReplicas([Place("a"), Place("b")]);
        foreach (var replica in _pool.ReplicaList)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }

        for (var i = 0; i < 2 * Faults.FailuresToOpen; i++)
        {
            _pool.Find("a")!.OnFault();
            _pool.Find("b")!.OnFault();
        }

        Assert.Equal((ReplicaHealth.Suspended, ReplicaHealth.Up), (_pool.Find("a")!.Health, _pool.Find("b")!.Health));
    }

    [Fact]
    public void OnFault_WhileTheOnlyOtherReplicaIsOnTrial_DoesNotSuspendTheLast()
    {
        _pool.SetReplicas([Place("a"), Place("b")]);
        var (a, b) = (_pool.Find("a")!, _pool.Find("b")!);
        a.OnProbed(ReplicaHealth.Up);
        b.OnProbed(ReplicaHealth.Up);
        for (var i = 0; i < Faults.FailuresToOpen; i++)
        {
            a.OnFault();
        }
        _time.Advance(Faults.OpenDuration);

        for (var i = 0; i < Faults.FailuresToOpen; i++)
        {
            b.OnFault();
        }

        Assert.Equal((ReplicaHealth.Up, ReplicaHealth.Up), (a.Health, b.Health));
        Assert.Equal(Faults.FailuresToOpen, b.FaultsInARow);
    }

    [Fact]
    public void OnFault_OfTheLastReplicaOfAModelWithFallbacks_SuspendsIt()
    {
        _pool.Reconfigure(new ModelOptions { Name = "m", Fallbacks = ["other"] }, Faults);
        _pool.SetReplicas([Place("a")]);
        var a = _pool.Find("a")!;
        a.OnProbed(ReplicaHealth.Up);

        for (var i = 0; i < Faults.FailuresToOpen; i++)
        {
            a.OnFault();
        }

        Assert.Equal(ReplicaHealth.Suspended, a.Health);
    }

    [Fact]
    public void OnFault_OfTheLastReplicaAtTheLimit_SaysOnceThatItIsSpared()
    {
        _pool.SetReplicas([Place("a")]);
        var a = _pool.Find("a")!;
        a.OnProbed(ReplicaHealth.Up);
        var told = new List<string>();
        a.Spared += told.Add;

        for (var i = 0; i < 3 * Faults.FailuresToOpen; i++)
        {
            a.OnFault();
        }

        Assert.Equal([$"{Faults.FailuresToOpen} faults in a row"], told);
    }

    [Fact]
    public void SetReplicas_WithOneThatWasGoneForAMoment_KeepsItDrained()
    {
        _pool.SetReplicas([Place("a"), Place("b")]);
        _pool.Find("a")!.SetDraining(true);
        _pool.SetReplicas([]);
        _time.Advance(TimeSpan.FromSeconds(30));

        _pool.SetReplicas([Place("a"), Place("b")]);
        foreach (var replica in _pool.ReplicaList)
        {
            replica.OnProbed(ReplicaHealth.Up);
        }

        Assert.Equal((ReplicaHealth.Draining, ReplicaHealth.Up), (_pool.Find("a")!.Health, _pool.Find("b")!.Health));
    }

    [Fact]
    public void SetReplicas_WithOneThatWasGoneForLong_ForgetsThatItWasDrained()
    {
        _pool.SetReplicas([Place("a")]);
        _pool.Find("a")!.SetDraining(true);
        _pool.SetReplicas([]);
        _time.Advance(TimeSpan.FromHours(1));

        _pool.SetReplicas([Place("a")]);
        _pool.Find("a")!.OnProbed(ReplicaHealth.Up);

        Assert.Equal(ReplicaHealth.Up, _pool.Find("a")!.Health);
    }

    private static ReplicaPlace Place(string id, double weight = 1) => new(id, new Uri($"http://{id}:8000"), new ReplicaOptions { Weight = weight });
}
