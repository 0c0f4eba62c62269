using System.Net;
using System.Net.Sockets;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines;

public sealed class DnsDiscoveryTests
{
    private static readonly FaultLimits Faults = new(5, TimeSpan.FromSeconds(10));

    private readonly ManualTime _time = new();
    private readonly CannedNames _names = new();
    private readonly RecordingLog<DnsDiscovery> _log = new();
    private readonly Pool _pool;
    private readonly DnsDiscovery _discovery;

    public DnsDiscoveryTests()
    {
        _pool = new Pool(Model("http://engines:8000"), Faults, _time);
        _discovery = new DnsDiscovery(_pool, _names, _time, _log);
        _discovery.Publish();
    }

    [Fact]
    public async Task RefreshAsync_WhenTheAnswerIsRotated_ChangesNothing()
    {
        _names.Answer = ["10.0.0.2", "10.0.0.1", "10.0.0.1", "::ffff:10.0.0.2"];
        var first = await _discovery.RefreshAsync(default);
        var before = _pool.ReplicaList;
        _names.Answer = ["10.0.0.1", "10.0.0.2"];

        var second = await _discovery.RefreshAsync(default);

        Assert.True(first);
        Assert.False(second);
        Assert.Same(before, _pool.ReplicaList);
        Assert.Equal(["static:1", "10.0.0.1:8000", "10.0.0.2:8000"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_WhenAnAddressLeaves_KeepsTheOthersLedgers()
    {
        _names.Answer = ["10.0.0.1", "10.0.0.2"];
        await _discovery.RefreshAsync(default);
        var staying = _pool.Find("10.0.0.2:8000");
        _names.Answer = ["10.0.0.2", "10.0.0.3"];

        await _discovery.RefreshAsync(default);

        Assert.Same(staying, _pool.Find("10.0.0.2:8000"));
        Assert.Equal(["static:1", "10.0.0.2:8000", "10.0.0.3:8000"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_WhenNamesFail_KeepsTheLastAddressesAndSaysSoOnce()
    {
        _names.Answer = ["10.0.0.1"];
        await _discovery.RefreshAsync(default);
        _names.Problem = new SocketException((int)SocketError.TryAgain);

        for (var i = 0; i < 10; i++)
        {
            await _discovery.RefreshAsync(default);
        }

        Assert.Equal(["static:1", "10.0.0.1:8000"], Ids());
        Assert.Single(_log.Lines, line => line.Level == LogLevel.Warning);
    }

    [Fact]
    public async Task RefreshAsync_WhenTheAnswerIsEmpty_BelievesTheThirdInARow()
    {
        _names.Answer = ["10.0.0.1"];
        await _discovery.RefreshAsync(default);

        var seen = new List<int>();
        foreach (var answer in new string[][] { [], [], ["10.0.0.1"], [], [], [] })
        {
            _names.Answer = answer;
            await _discovery.RefreshAsync(default);
            seen.Add(_pool.ReplicaList.Count);
        }

        Assert.Equal([2, 2, 2, 2, 2, 1], seen);
    }

    [Fact]
    public async Task RefreshAsync_WhenTheNameServerIsSilent_GivesUpInTime()
    {
        _names.Answer = ["10.0.0.1"];
        await _discovery.RefreshAsync(default);
        _names.IsSilent = true;

        var refresh = _discovery.RefreshAsync(default);
        _time.Advance(TimeSpan.FromSeconds(5));
        await refresh;

        Assert.Equal(["static:1", "10.0.0.1:8000"], Ids());
    }

    [Fact]
    public async Task Publish_AfterAReload_KeepsWhatIsKnownOfNamesThatStay()
    {
        _names.Answer = ["10.0.0.1"];
        await _discovery.RefreshAsync(default);
        var staying = _pool.Find("10.0.0.1:8000");

        _pool.Reconfigure(Model("http://engines:8000") with { BytesPerToken = 3 }, Faults);
        _discovery.Publish();
        var afterReload = _pool.Find("10.0.0.1:8000");
        _pool.Reconfigure(Model("http://others:8000"), Faults);
        _discovery.Publish();

        Assert.Same(staying, afterReload);
        Assert.Equal(["static:1"], Ids());
    }

    private static ModelOptions Model(string name) =>
        new() { Name = "m", Replicas = [new() { Url = new("http://static:1") }, new() { Dns = new(name) }] };

    private string[] Ids() => [.. _pool.ReplicaList.Select(replica => replica.Id)];
}

/// <summary>Resolves every name to the same prepared answer.</summary>
internal sealed class CannedNames : INameResolver
{
    public string[] Answer { get; set; } = [];

    public SocketException? Problem { get; set; }

    public bool IsSilent { get; set; }

    public async Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        if (IsSilent)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
        }
        return Problem is null ? [.. Answer.Select(IPAddress.Parse)] : throw Problem;
    }
}
