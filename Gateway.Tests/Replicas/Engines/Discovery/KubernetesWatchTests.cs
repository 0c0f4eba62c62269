using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines.Discovery;

/// <summary>A pool that follows a cluster, against an API server over https.</summary>
public sealed class KubernetesWatchTests : IAsyncLifetime
{
    private readonly RecordingLog<PoolDiscovery> _log = new();
    private FakeKubernetes _cluster = null!;
    private Pool _pool = null!;
    private PoolDiscovery _discovery = null!;

    public async Task InitializeAsync() => _cluster = await FakeKubernetes.StartAsync();

    public async Task DisposeAsync()
    {
        await _discovery.Follow(isRunning: false);
        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Follow_AsPodsComeAndGo_KeepsThePoolAtTheReadyOnes()
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.2", "10.0.0.1", "10.0.0.9?"));
        Follow();
        await HasAsync("10.0.0.1:8000", "10.0.0.2:8000");
        await WatchesAsync();
        var staying = _pool.Find("10.0.0.1:8000")!;
        var leaving = _pool.Find("10.0.0.2:8000")!;

        _cluster.Set(FakeKubernetes.Slice("two", "10.0.1.1"));
        await HasAsync("10.0.0.1:8000", "10.0.0.2:8000", "10.0.1.1:8000");
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1", "10.0.0.2!", "10.0.0.9"));
        await HasAsync("10.0.0.1:8000", "10.0.0.9:8000", "10.0.1.1:8000");
        _cluster.Remove("two");
        await HasAsync("10.0.0.1:8000", "10.0.0.9:8000");

        Assert.Same(staying, _pool.Find("10.0.0.1:8000"));
        Assert.Equal(ReplicaHealth.Draining, leaving.Health);
        Assert.Single(_cluster.Asked, question => !question.Query.Contains("watch=1", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Follow_OfAServiceWithLabels_AsksForThoseWithTheTokenInForce()
    {
        Follow(options => options with { LabelSelector = "tier!=test" });
        await WatchesAsync();
        await File.WriteAllTextAsync(Path.Combine(_cluster.Credentials, "token"), "second");
        _cluster.Tell(null);
        await Until.HoldsAsync(() => _cluster.Asked.Any(question => question.Token == "Bearer second"), "the new token is used");

        Assert.All(_cluster.Asked, question => Assert.StartsWith(
            "/apis/discovery.k8s.io/v1/namespaces/llm/endpointslices?labelSelector=kubernetes.io%2Fservice-name%3Dvllm%2Ctier%21%3Dtest&", question.Query, StringComparison.Ordinal));
        Assert.Equal("Bearer first", _cluster.Asked.First().Token);
    }

    [Fact]
    public async Task Follow_WhenAWatchEnds_GoesOnFromTheLastVersionWithoutAList()
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();
        _cluster.Tell("""{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"170"}}}""");
        _cluster.Tell(null);

        await Until.HoldsAsync(() => _cluster.Asked.Any(question => question.Query.EndsWith("resourceVersion=170", StringComparison.Ordinal)), "the watch goes on from the bookmark");

        Assert.Single(_cluster.Asked, question => !question.Query.Contains("watch=1", StringComparison.Ordinal));
        Assert.Equal(["10.0.0.1:8000"], Ids());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Follow_WhenTheVersionIsGone_ListsAnew(bool saysSoInTheStream)
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();
        if (saysSoInTheStream)
        {
            _cluster.Tell("""{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}""");
        }
        else
        {
            _cluster.OldestVersion = _cluster.Version + 1;
            _cluster.Tell(null);
            await Until.HoldsAsync(() => _cluster.OpenWatches == 0, "the watch has ended");
        }
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.2"));

        await HasAsync("10.0.0.2:8000");

        await Until.HoldsAsync(() => _cluster.Asked.Count(question => !question.Query.Contains("watch=1", StringComparison.Ordinal)) == 2, "a second list");
        Assert.DoesNotContain(_log.Lines, line => line.Level >= LogLevel.Warning);
    }

    [Theory]
    [InlineData(500, "500")]
    [InlineData(403, "the service account needs get, list and watch on endpointslices")]
    [InlineData(401, "it does not accept the token in ")]
    public async Task Follow_WhileTheServerIsAway_KeepsTheLastListAndSaysSoOnce(int status, string said)
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();
        var before = _cluster.Asked.Count;
        _cluster.Status = status;
        _cluster.Tell(null);
        await Until.HoldsAsync(() => _cluster.Asked.Count >= before + 2, "two more questions");
        var during = Ids();
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.2"));
        _cluster.Status = 200;

        await HasAsync("10.0.0.2:8000");

        Assert.Equal(["10.0.0.1:8000"], during);
        Assert.Contains(said, Assert.Single(_log.Lines, line => line.Level == LogLevel.Warning).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Follow_WhenTheServerWasRestoredFromAnOlderState_ListsAnew()
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();
        _cluster.Restore(50);
        _cluster.Tell(null);
        await Until.HoldsAsync(() => _cluster.OpenWatches == 0, "the watch has ended");
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.2"));

        await HasAsync("10.0.0.2:8000");
    }

    [Theory]
    [InlineData("""{"type":"MODIFIED","obj""")]
    [InlineData("""{"type":"MODIFIED","object":{"metadata":{"name":"one"}}}""")]
    public async Task Follow_OfAnEventThatCannotBeRead_ListsAnew(string line)
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();

        _cluster.Tell(line);

        await Until.HoldsAsync(() => _cluster.Asked.Count(question => !question.Query.Contains("watch=1", StringComparison.Ordinal)) == 2, "a second list");
        await HasAsync("10.0.0.1:8000");
    }

    [Fact]
    public async Task Follow_OfASliceToldAgain_ChangesNothingAndLogsWhoCameAndWent()
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await WatchesAsync();
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.2"));

        await HasAsync("10.0.0.2:8000");

        await Until.HoldsAsync(() => _log.Lines.Any(line => line.Text.EndsWith("replicas now: 1; new: 10.0.0.2:8000; gone: 10.0.0.1:8000", StringComparison.Ordinal)), "who came and went is told");
        Assert.Equal(2, _log.Lines.Count(line => line.Text.Contains("replicas now", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Follow_OfNoReadyEndpoint_SaysSoOnce()
    {
        Follow();
        await WatchesAsync();
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1?"));
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));

        await HasAsync("10.0.0.1:8000");

        Assert.Contains("the 0 EndpointSlices that match have no ready endpoint", Assert.Single(_log.Lines, line => line.Level == LogLevel.Warning).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Follow_WhenAWatchThatHeldIsCut_AsksAgainSoonWhateverWasBefore()
    {
        var time = new ManualTime();
        _cluster.Status = 500;
        Follow(time: time);
        await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), () => _cluster.Asked.Count >= 7, "seven questions in vain");
        _cluster.Status = 200;
        await AdvanceUntilAsync(time, TimeSpan.FromSeconds(1), () => _cluster.OpenWatches == 1, "a watch is open");
        var troubles = Warnings();
        time.Advance(TimeSpan.FromSeconds(20));

        _cluster.Cut();
        await Until.HoldsAsync(() => _cluster.OpenWatches == 0 && Warnings() > troubles, "the cut is told");
        await time.WhenActiveAsync(1, "the pause before the next question");
        time.Advance(TimeSpan.FromSeconds(0.75));

        await WatchesAsync();
    }

    [Fact]
    public async Task Follow_OfWatchesThatEndAtOnce_AsksEverMoreSeldom()
    {
        var time = new ManualTime();
        _cluster.EndsWatches = true;
        Follow(time: time);
        var from = time.GetTimestamp();

        await AdvanceUntilAsync(time, TimeSpan.FromSeconds(0.25), () => _cluster.Asked.Count >= 10, "ten questions");

        Assert.True(time.GetElapsedTime(from) > TimeSpan.FromSeconds(30), $"ten questions within {time.GetElapsedTime(from)}");
    }

    [Fact]
    public async Task Follow_OfAWatchWithoutAnAnswer_AsksAgainLongBeforeItWouldEnd()
    {
        var time = new ManualTime();
        _cluster.HangsWatches = true;
        Follow(time: time);
        await Until.HoldsAsync(() => _cluster.Asked.Count == 2, "the watch is asked for");

        await time.WhenActiveAsync(2, "the limits of the answer and of the watch");
        time.Advance(TimeSpan.FromSeconds(30));

        await Until.HoldsAsync(() => _log.Lines.Any(line => line.Text.EndsWith("no answer in time", StringComparison.Ordinal)), "the missing answer is told");
    }

    [Fact]
    public async Task Follow_OfAListInPages_TakesAllOfThem()
    {
        _cluster.PageItems = 2;
        for (var i = 1; i <= 5; i++)
        {
            _cluster.Set(FakeKubernetes.Slice($"slice-{i}", $"10.0.0.{i}"));
        }
        Follow();

        await HasAsync("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000", "10.0.0.4:8000", "10.0.0.5:8000");
    }

    [Fact]
    public async Task Follow_WithAnotherAuthority_TrustsNobody()
    {
        var other = await FakeKubernetes.StartAsync();
        File.Copy(Path.Combine(other.Credentials, "ca.crt"), Path.Combine(_cluster.Credentials, "ca.crt"), overwrite: true);
        await other.DisposeAsync();
        Follow();

        await Until.HoldsAsync(() => _log.Lines.Any(line => line.Level == LogLevel.Warning), "the trouble is told");

        Assert.Empty(_cluster.Asked);
    }

    [Fact]
    public async Task Follow_AfterAReloadWithoutACluster_LeavesItsReplicasAndItsWatch()
    {
        _cluster.Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Follow();
        await HasAsync("10.0.0.1:8000");
        await WatchesAsync();

        _pool.Reconfigure(new() { Name = "m", Replicas = [new() { Url = new("http://static:1") }] }, new FaultLimits(5, TimeSpan.FromSeconds(10)));
        _discovery.Publish();
        await _discovery.Follow(isRunning: true);

        Assert.Equal(["static:1"], Ids());
        await Until.HoldsAsync(() => _cluster.OpenWatches == 0, "the watch has ended");
    }

    private void Follow(Func<KubernetesOptions, KubernetesOptions>? change = null, TimeProvider? time = null)
    {
        var kubernetes = new KubernetesOptions { Service = "vllm", Port = "http", ApiServer = _cluster.Uri, CredentialsPath = _cluster.Credentials };
        var model = new ModelOptions { Name = "m", Discovery = new() { Kubernetes = change?.Invoke(kubernetes) ?? kubernetes } };
        _pool = new Pool(model, new FaultLimits(5, TimeSpan.FromSeconds(10)), TimeProvider.System);
        _discovery = new PoolDiscovery(_pool, new DiscoverySources(new CannedNames(), new CannedLists(), _ => null), time ?? TimeProvider.System, new Random(1), () => { }, _log);
        _discovery.Publish();
        _ = _discovery.Follow(isRunning: true);
    }

    private static Task AdvanceUntilAsync(ManualTime time, TimeSpan step, Func<bool> condition, string what) =>
        Until.HoldsAsync(
            () =>
            {
                var holds = condition();
                time.Advance(holds ? TimeSpan.Zero : step);
                return holds;
            },
            what);

    private int Warnings() => _log.Lines.Count(line => line.Level == LogLevel.Warning);

    private Task WatchesAsync() => Until.HoldsAsync(() => _cluster.OpenWatches == 1, "a watch is open");

    private Task HasAsync(params string[] ids) => Until.HoldsAsync(() => Ids().SequenceEqual(ids), $"the pool has {string.Join(", ", ids)}");

    private string[] Ids() => [.. _pool.ReplicaList.Select(replica => replica.Id)];
}
