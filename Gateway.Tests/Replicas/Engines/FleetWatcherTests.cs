using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Tests.Fakes;
using Gateway.Tests.Replicas.Engines.Discovery;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines;

public sealed class FleetWatcherTests : IAsyncLifetime
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly ManualTime _time = new();
    private readonly CannedNames _names = new();
    private readonly CannedEngine _engine = Pages.Vllm();
    private readonly RecordingLog<FleetWatcher> _log = new();
    private readonly FleetWatcher _fleet;
    private readonly Pool _pool;

    public FleetWatcherTests()
    {
        _fleet = new FleetWatcher(_engine.Access(_time), new DiscoverySources(_names, new CannedLists(), _ => null), _ => false, new Random(7), _log);
        _pool = NewPool(new ReplicaOptions { Url = CannedEngine.Address });
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync() => await _fleet.DisposeAsync();

    [Fact]
    public async Task Start_WithPoolsApplied_BringsReplicasUpAndKeepsReadingTheirLoad()
    {
        _fleet.Apply([_pool], new ResilienceOptions());
        var before = _pool.ReplicaList.Select(replica => replica.Health).ToArray();
        _fleet.Start();
        await UpAsync(_pool.ReplicaList[0]);

        await _time.AdvanceUntilAsync(_engine.AskedAsync("/metrics", 5), Step, "five readings of the load");
        await _time.AdvanceUntilAsync(_engine.AskedAsync("/health", 3), Step, "three probes");

        // Time that runs ahead of an answer may have made one probe look late.
        await _time.AdvanceUntilAsync(UpAsync(_pool.ReplicaList[0]), Step, "the replica serves");
        Assert.Equal([ReplicaHealth.Unknown], before);
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Error);
    }

    [Fact]
    public async Task Apply_WithoutAPool_StopsWatchingIt()
    {
        _fleet.Start();
        _fleet.Apply([_pool], new ResilienceOptions());
        await UpAsync(_pool.ReplicaList[0]);

        _fleet.Apply([], new ResilienceOptions());
        await _time.WhenActiveAsync(timers: 1, "only discovery still waits for its time");
        var asked = _engine.Asked.Count;
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal(asked, _engine.Asked.Count);
    }

    [Fact]
    public async Task Apply_Again_KeepsTheReplicaAndGoesOnWatchingIt()
    {
        _fleet.Start();
        _fleet.Apply([_pool], new ResilienceOptions());
        var replica = _pool.ReplicaList[0];
        await UpAsync(replica);

        _pool.Reconfigure(_pool.Options with { Aliases = ["other"] }, new FaultLimits(1, TimeSpan.FromSeconds(1)));
        _fleet.Apply([_pool], new ResilienceOptions());

        await _time.AdvanceUntilAsync(_engine.AskedAsync("/health", _engine.TimesAsked("/health") + 2), Step, "two more probes");
        Assert.Same(replica, _pool.ReplicaList[0]);
        Assert.Equal(ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public async Task Start_WithANameToResolve_WatchesEachAddressAsItAppears()
    {
        var pool = NewPool(new ReplicaOptions { Dns = new("http://engines:8000") });
        _names.Answer = ["10.0.0.1"];
        _fleet.Apply([pool], new ResilienceOptions());
        var first = ChangeOf(pool, 1);
        _fleet.Start();
        await first.WaitAsync(Patience);
        await UpAsync(pool.ReplicaList[0]);

        _names.Answer = ["10.0.0.1", "10.0.0.2"];
        await _time.AdvanceUntilAsync(ChangeOf(pool, 2), Step, "the second address");
        await UpAsync(pool.ReplicaList[1]);

        Assert.Equal(["10.0.0.1:8000", "10.0.0.2:8000"], pool.ReplicaList.Select(replica => replica.Id));
    }

    [Fact]
    public async Task StopAsync_WithQuestionsOpen_GivesThemUp()
    {
        _engine.WithSilence("/v1/models");
        _fleet.Apply([_pool], new ResilienceOptions());
        _fleet.Start();
        await _engine.AskedAsync("/v1/models").WaitAsync(Patience);

        await _fleet.StopAsync().WaitAsync(Patience);

        Assert.Equal(0, _time.ActiveTimers);
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Error);
    }

    private static Task ChangeOf(Pool pool, int count)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        pool.RoomReturned += () =>
        {
            if (pool.ReplicaList.Count == count)
            {
                changed.TrySetResult();
            }
        };
        return changed.Task;
    }

    /// <summary>The first probe needs no time to pass.</summary>
    private static Task UpAsync(Replica replica)
    {
        var up = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        replica.RoomReturned += () =>
        {
            if (replica.Health == ReplicaHealth.Up)
            {
                up.TrySetResult();
            }
        };
        if (replica.Health == ReplicaHealth.Up)
        {
            up.TrySetResult();
        }
        return up.Task.WaitAsync(Patience);
    }

    private Pool NewPool(params ReplicaOptions[] replicas) =>
        new(new ModelOptions { Name = "llama-8b", Replicas = replicas }, new FaultLimits(5, TimeSpan.FromSeconds(10)), _time);
}
