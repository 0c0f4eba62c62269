using System.Net;
using System.Net.Sockets;
using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines.Discovery;

public sealed class PoolDiscoveryTests
{
    private static readonly FaultLimits Faults = new(5, TimeSpan.FromSeconds(10));

    private readonly ManualTime _time = new();
    private readonly CannedNames _names = new();
    private readonly CannedLists _lists = new();
    private readonly RecordingLog<PoolDiscovery> _log = new();
    private readonly Pool _pool;
    private readonly PoolDiscovery _discovery;

    public static TheoryData<string> ImpossibleNames => ["http://0.0.0.0:8000", $"http://{string.Join('.', Enumerable.Repeat(new string('b', 60), 5))}:8000"];

    public PoolDiscoveryTests()
    {
        _pool = new Pool(Model("http://engines:8000"), Faults, _time);
        _discovery = new PoolDiscovery(_pool, new DiscoverySources(_names, _lists, _ => null), _time, new Random(1), () => { }, _log);
        _discovery.Publish();
    }

    [Fact]
    public async Task RefreshAsync_WhenTheAnswerIsRotated_ChangesNothing()
    {
        _names.Answer = ["10.0.0.2", "10.0.0.1", "10.0.0.1", "::ffff:10.0.0.2"];
        var first = await RefreshAsync();
        var before = _pool.ReplicaList;
        _names.Answer = ["10.0.0.1", "10.0.0.2"];

        var second = await RefreshAsync();

        Assert.True(first);
        Assert.False(second);
        Assert.Same(before, _pool.ReplicaList);
        Assert.Equal(["static:1", "10.0.0.1:8000", "10.0.0.2:8000"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_WhenAnAddressLeaves_KeepsTheOthersLedgers()
    {
        _names.Answer = ["10.0.0.1", "10.0.0.2"];
        await RefreshAsync();
        var staying = _pool.Find("10.0.0.2:8000");
        _names.Answer = ["10.0.0.2", "10.0.0.3"];

        await RefreshAsync();

        Assert.Same(staying, _pool.Find("10.0.0.2:8000"));
        Assert.Equal(["static:1", "10.0.0.2:8000", "10.0.0.3:8000"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_WhenNamesFail_KeepsTheLastAddressesAndSaysSoOnce()
    {
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();
        _names.Problem = new SocketException((int)SocketError.TryAgain);

        for (var i = 0; i < 10; i++)
        {
            await RefreshAsync();
        }

        Assert.Equal(["static:1", "10.0.0.1:8000"], Ids());
        Assert.Single(_log.Lines, line => line.Level == LogLevel.Warning);
    }

    [Fact]
    public async Task RefreshAsync_WhenANameStandsForNothing_SaysSoOnceEachTimeItIsBelieved()
    {
        _names.Answer = [];
        for (var answer = 0; answer < 2 * ResolvedNames.EmptyAnswersToBelieve; answer++)
        {
            await RefreshAsync();
        }
        var first = _log.Lines.Count(line => line.Level == LogLevel.Warning);
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();
        _names.Answer = [];
        for (var answer = 0; answer < ResolvedNames.EmptyAnswersToBelieve; answer++)
        {
            await RefreshAsync();
        }

        Assert.Equal((1, 2), (first, _log.Lines.Count(line => line.Level == LogLevel.Warning && line.Text.Contains("engines stands for no address", StringComparison.Ordinal))));
    }

    [Fact]
    public async Task RefreshAsync_WhenTheAnswerIsEmpty_BelievesTheThirdInARow()
    {
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();

        var seen = new List<int>();
        foreach (var answer in new string[][] { [], [], ["10.0.0.1"], [], [], [] })
        {
            _names.Answer = answer;
            await RefreshAsync();
            seen.Add(_pool.ReplicaList.Count);
        }

        Assert.Equal([2, 2, 2, 2, 2, 1], seen);
    }

    [Fact]
    public async Task RefreshAsync_WhenTheNameServerIsSilent_GivesUpInTime()
    {
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();
        _names.IsSilent = true;

        var refresh = RefreshAsync();
        _time.Advance(TimeSpan.FromSeconds(5));
        await refresh;

        Assert.Equal(["static:1", "10.0.0.1:8000"], Ids());
    }

    [Fact]
    public async Task Publish_AfterAReload_KeepsWhatIsKnownOfNamesThatStay()
    {
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();
        var staying = _pool.Find("10.0.0.1:8000");

        _pool.Reconfigure(Model("http://engines:8000") with { BytesPerToken = 3 }, Faults);
        _discovery.Publish();
        var afterReload = _pool.Find("10.0.0.1:8000");
        _pool.Reconfigure(Model("http://others:8000"), Faults);
        _discovery.Publish();

        Assert.Same(staying, afterReload);
        Assert.Equal(["static:1"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_BeforeTheIntervalHasPassed_AsksNobody()
    {
        _names.Answer = ["10.0.0.1"];
        await RefreshAsync();
        _names.Answer = ["10.0.0.2"];

        _time.Advance(new DiscoveryOptions().Interval - TimeSpan.FromTicks(1));
        var early = await _discovery.RefreshAsync(default);
        _time.Advance(TimeSpan.FromTicks(1));
        var due = await _discovery.RefreshAsync(default);

        Assert.Equal((false, true), (early, due));
        Assert.Equal(["static:1", "10.0.0.2:8000"], Ids());
    }

    [Fact]
    public async Task RefreshAsync_WhenTheFileChanges_TakesItOnceItStandsStill()
    {
        Listen("a:1 b:1");
        var first = Ids();
        _lists.Text = "b:1 c:1";

        await RefreshAsync();
        var moving = Ids();
        await RefreshAsync();

        Assert.Equal(["static:1", "a:1", "b:1"], first);
        Assert.Equal(first, moving);
        Assert.Equal(["static:1", "b:1", "c:1"], Ids());
    }

    [Theory]
    [InlineData(null)]
    [InlineData("faulty")]
    public async Task RefreshAsync_WhenTheFileIsGoneOrFaulty_KeepsTheLastListAndSaysSoOnce(string? text)
    {
        Listen("a:1");
        _lists.Text = text;

        for (var i = 0; i < 5; i++)
        {
            await RefreshAsync();
        }

        Assert.Equal(["static:1", "a:1"], Ids());
        Assert.Single(_log.Lines, line => line.Level == LogLevel.Error);
    }

    [Fact]
    public async Task RefreshAsync_WhenTheFileIsGoneAgain_SaysSoAgain()
    {
        Listen("a:1");
        foreach (var text in new[] { null, "a:1", null })
        {
            _lists.Text = text;
            await RefreshAsync();
        }

        Assert.Equal(2, _log.Lines.Count(line => line.Level == LogLevel.Error));
    }

    // The system's resolver throws for these, which would keep all other names and the file from being looked at.
    [Theory, MemberData(nameof(ImpossibleNames))]
    public async Task RefreshAsync_WithANameThatCannotExist_StillFindsTheOthers(string impossible)
    {
        var pool = new Pool(new() { Name = "m", Replicas = [new() { Dns = new(impossible) }, new() { Dns = new("http://127.0.0.1:8000") }] }, Faults, _time);
        var discovery = new PoolDiscovery(pool, new DiscoverySources(new SystemNameResolver(), _lists, _ => null), _time, new Random(1), () => { }, _log);
        discovery.Publish();

        await discovery.RefreshAsync(default);

        Assert.Equal("127.0.0.1:8000", Assert.Single(pool.ReplicaList).Id);
    }

    [Fact]
    public async Task RefreshAsync_WhenAListedReplicaLeaves_DrainsItUntilItsAnswersHaveEnded()
    {
        Listen("a:1 b:1");
        var ghost = _pool.Find("a:1")!;
        ghost.OnProbed(ReplicaHealth.Up);
        var before = ghost.Snapshot().AcceptsWork;
        _lists.Text = "b:1";

        await RefreshAsync();
        await RefreshAsync();

        Assert.True(before);
        Assert.False(ghost.Snapshot().AcceptsWork);
        Assert.Equal(["static:1", "b:1"], Ids());
    }

    private void Listen(string text)
    {
        _lists.Text = text;
        _pool.Reconfigure(new() { Name = "m", Replicas = [new() { Url = new("http://static:1") }], Discovery = new() { File = "list" } }, Faults);
        _discovery.Publish();
    }

    private static ModelOptions Model(string name) =>
        new() { Name = "m", Replicas = [new() { Url = new("http://static:1") }, new() { Dns = new(name) }] };

    private Task<bool> RefreshAsync()
    {
        _time.Advance(new DiscoveryOptions().Interval);
        return _discovery.RefreshAsync(default);
    }

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

/// <summary>A file of addresses between blanks; null: it is gone.</summary>
internal sealed class CannedLists : IReplicaListReader
{
    public string? Text { get; set; }

    public string? Read(string path, out string? problem)
    {
        problem = Text is null ? "There is no such file." : null;
        return Text;
    }

    public IReadOnlyList<ReplicaOptions>? Parse(string text, string path, out string? problem)
    {
        problem = text == "faulty" ? "This is not YAML." : null;
        return problem is null ? [.. text.Split(' ').Select(address => new ReplicaOptions { Url = new("http://" + address) })] : null;
    }
}
