using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

/// <summary>What an engine shows of its room: unknown capacity, others' load, preemptions.</summary>
public sealed class EngineRoomTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Observe_OfUseWithoutCapacity_LearnsTheRoomFromWhatIsInFlight()
    {
        var replica = Up();
        using var running = replica.TryReserve(Load(5_999, 100), 1);
        var before = replica.Snapshot().CapacityTokens;

        Observe(replica, new EngineReport { KvUsage = 0.6, RunningRequests = 1, WaitingRequests = 0 });

        Assert.Equal((null, 10_000L), (before, replica.Snapshot().CapacityTokens));
        Assert.Null(replica.TryReserve(Load(5_000, 100), 1));
    }

    [Theory]
    [InlineData(null, true)]
    [InlineData(true, true)]
    [InlineData(false, false)]
    public void TryReserve_OfPromptsThatBeginAlike_CountsTheBeginningOnceWhereItIsCached(bool? caches, bool bothFit)
    {
        var replica = Up();
        Observe(replica, new EngineReport { KvCapacityTokens = 6_000, CachesPrefixes = caches });
        var load = Load(4_000, 100) with { Blocks = [.. Enumerable.Range(1, 100).Select(block => (ulong)block)], BlockTokens = 40 };
        using var first = replica.TryReserve(load, new PastFutureAdmission(), 1);

        using var second = replica.TryReserve(load, new PastFutureAdmission(), 1);

        Assert.Equal((true, bothFit), (first is not null, second is not null));
    }

    [Fact]
    public void Observe_OfUseByOthersToo_LearnsNothing()
    {
        var replica = Up();
        using var running = replica.TryReserve(Load(1_000, 100), 1);

        Observe(replica, new EngineReport { KvUsage = 0.6, RunningRequests = 4 });

        Assert.Null(replica.Snapshot().CapacityTokens);
    }

    [Fact]
    public void Observe_OfAnEngineThatQueuesAndGrowsNoMore_TakesWhatRunsForItsRoom()
    {
        var replica = Up();
        using var one = replica.TryReserve(Load(3_999, 100), 1);
        using var two = replica.TryReserve(Load(3_999, 100), 1);
        using var three = replica.TryReserve(Load(3_999, 100), 1);
        Observe(replica, new EngineReport { RunningRequests = 1, WaitingRequests = 2 });
        Observe(replica, new EngineReport { RunningRequests = 2, WaitingRequests = 1 });
        // Two of three run: it still works through prompts.
        var atPrompts = replica.Snapshot().CapacityTokens;

        Observe(replica, new EngineReport { RunningRequests = 2, WaitingRequests = 1 });

        Assert.Equal((null, 8_000L), (atPrompts, replica.Snapshot().CapacityTokens));
    }

    [Fact]
    public void Observe_OfAnEngineThatPreempts_TakesWhatRunsForItsRoom()
    {
        var replica = Up();
        using var one = replica.TryReserve(Load(3_999, 100), 1);
        using var two = replica.TryReserve(Load(3_999, 100), 1);
        Observe(replica, new EngineReport { RunningRequests = 2, WaitingRequests = 0, Preemptions = 3 });
        var quiet = replica.Snapshot().CapacityTokens;

        Observe(replica, new EngineReport { RunningRequests = 1, WaitingRequests = 1, Preemptions = 4 });

        Assert.Equal(4_000L, replica.Snapshot().CapacityTokens);
        Assert.NotEqual(4_000L, quiet);
    }

    [Fact]
    public void Observe_OfNothingButRequests_NeverHolds()
    {
        var replica = Up();
        for (var i = 0; i < 50; i++)
        {
            Assert.NotNull(replica.TryReserve(Load(10_000, 1_000), 1));
            Observe(replica, new EngineReport { RunningRequests = i + 1, WaitingRequests = 0 });
        }
    }

    [Fact]
    public void Observe_OfOthersRequests_TakesTheirRoomAndSlotsAway()
    {
        var replica = Up(kvTokens: 10_000, slots: 4);
        using var ours = replica.TryReserve(Load(999, 100), 1);
        var report = new EngineReport { KvUsage = 0.5, RunningRequests = 3 };
        Observe(replica, report);
        // In one report only it may be a request of ours on its way.
        var atOnce = replica.TryReserve(Load(6_000, 100), 1);
        atOnce?.Dispose();
        Observe(replica, report);

        // 5000 used, 1000 of them ours: 10000 - 4000 - 2 x 50 are left for 1100 + 6101.
        Assert.NotNull(atOnce);
        Assert.Null(replica.TryReserve(Load(6_000, 100), 1));
        Assert.NotNull(replica.TryReserve(Load(4_000, 100), 1));
        Assert.Null(replica.TryReserve(Load(10, 10), 1));
    }

    [Fact]
    public void Observe_OfOwnRequestsOnly_CountsThemOnce()
    {
        var replica = Up(kvTokens: 10_000);
        using var ours = replica.TryReserve(Load(4_000, 100), 1);
        for (var i = 0; i < 3; i++)
        {
            Observe(replica, new EngineReport { KvUsage = 0.45, RunningRequests = 1 });
        }

        Assert.NotNull(replica.TryReserve(Load(5_000, 100), 1));
    }

    [Fact]
    public void Observe_OfOthersLongAgo_IsNotTrusted()
    {
        var replica = Up(kvTokens: 10_000);
        using var ours = replica.TryReserve(Load(999, 100), 1);
        Observe(replica, new EngineReport { KvUsage = 0.9, RunningRequests = 9 });
        Observe(replica, new EngineReport { KvUsage = 0.9, RunningRequests = 9 });
        var held = replica.TryReserve(Load(3_000, 100), 1);

        _time.Advance(ForeignLoadWatch.Stale);

        Assert.Null(held);
        Assert.NotNull(replica.TryReserve(Load(3_000, 100), 1));
    }

    [Fact]
    public void Snapshot_AfterARestart_ShowsWhatRanBeforeUntilItHasEnded()
    {
        var replica = Up(kvTokens: 10_000);
        List<long> drift = [];
        foreach (var (usage, running) in new[] { (0.6, 6), (0.3, 3), (0.0, 0), (0.0, 0) })
        {
            Observe(replica, new EngineReport { KvUsage = usage, RunningRequests = running, KvCapacityTokens = 10_000 });
            drift.Add(global::Gateway.Telemetry.StateGauges.DriftOf(replica.Snapshot())!.Value);
        }

        using var ours = replica.TryReserve(Load(10, 10), 1);
        Assert.Equal([-6_000, -3_000, 0, 0], drift);
        Assert.NotNull(replica.TryReserve(Load(9_000, 100), 1));
    }

    [Theory]
    // No preemption in a minute while requests were held: half a percent more; up to two percent.
    [InlineData(0, true, 1, 0.005)]
    [InlineData(0, true, 10, 0.02)]
    [InlineData(0, false, 10, 0.0)]
    // Ten sequences: up to ten a minute are the price of a full engine, more are too many; down to a tenth.
    [InlineData(10, true, 5, 0.0)]
    [InlineData(11, true, 1, -0.01)]
    [InlineData(11, true, 30, -0.1)]
    public void Correction_AfterMinutesOfPreemptions_IsBounded(int perMinute, bool isBinding, int minutes, double expected)
    {
        var steering = new ShareSteering();
        for (var minute = 0; minute <= minutes; minute++)
        {
            steering.Observe(perMinute * minute, 10, isBinding, _time.GetTimestamp(), _time);
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(expected, steering.Correction, 1e-9);
    }

    [Fact]
    public void Correction_OfAnEngineThatRestarts_CountsItsPreemptionsFromThere()
    {
        var steering = new ShareSteering();
        foreach (var counter in new long[] { 5_000, 5_000, 3, 3 })
        {
            steering.Observe(counter, 10, isBinding: false, _time.GetTimestamp(), _time);
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        Assert.Equal(0, steering.Correction);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void TryReserve_WithSteeringOff_KeepsTheConfiguredShare(bool steers)
    {
        var replica = Up(kvTokens: 10_000);
        using var ours = replica.TryReserve(Load(3_999, 1_000), 1);
        for (var minute = 0; minute < 3; minute++)
        {
            Observe(replica, new EngineReport { Preemptions = 100 * minute });
            _time.Advance(TimeSpan.FromMinutes(1));
        }

        // At the end of both 4000 + 5600 + 2 x 160, and 4000 - less - for a share lower by two hundredths.
        using var second = replica.TryReserve(Load(5_541, 160), new PastFutureAdmission(steers), 1);

        Assert.Equal(!steers, second is not null);
    }

    private static LoadProfile Load(int promptTokens, double outputTokens) => new(promptTokens, promptTokens, outputTokens, 1);

    private void Observe(Replica replica, EngineReport report) => replica.Observe(report with { ReadAt = _time.GetTimestamp() });

    private Replica Up(long? kvTokens = null, int? slots = null)
    {
        var address = new Uri("http://10.0.0.1:8000");
        var replica = new Replica(new ReplicaOptions { Url = address, KvTokens = kvTokens, Slots = slots }, address, "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }
}
