using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Gateway.Access;
using Gateway.Configuration;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.EndToEnd;

/// <summary>Clients that hold the gateway up are let go, and what they held comes back.</summary>
public sealed class SlowClientTests : IAsyncLifetime
{
    private const string Form = "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: g\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
        + "--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\ndemo\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n";

    private const string Head = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c"}"""));
    private readonly List<TcpClient> _clients = [];
    private readonly CancellationTokenSource _patience = new(TimeSpan.FromSeconds(60));
    private GatewayWorld? _world;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        _clients.ForEach(client => client.Dispose());
        if (_world is not null)
        {
            await _world.AtRestAsync();
            await _world.DisposeAsync();
        }
        await _engine.DisposeAsync();
        _patience.Dispose();
    }

    [Fact]
    public async Task Headers_ThatNeverEnd_AreCutAndOthersServed()
    {
        await StartAsync(options => options with { Listen = options.Listen with { HeadersTimeout = TimeSpan.FromSeconds(1) } });
        var slow = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => SendAsync("POST /v1/chat")));

        using var response = await _world!.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[]}""");

        Assert.Equal(200, (int)response.StatusCode);
        Assert.All(await Task.WhenAll(slow.Select(ReadAllAsync)), answer => Assert.True(answer.Length == 0 || answer.StartsWith("HTTP/1.1 408", StringComparison.Ordinal), answer));
    }

    [Fact]
    public async Task Connections_BeyondTheLimit_AreClosedUntilOthersLeave()
    {
        await StartAsync(options => options with { Listen = options.Listen with { MaxConnections = 4 } });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SendAsync("POST /v1/chat")));

        var refused = await ReadAllAsync(await SendAsync(Head + Content("""{"model":"demo","messages":[]}""")));
        _clients.ForEach(client => client.Dispose());
        var answer = "";
        await Until.HoldsAsync(
            () => (answer = ReadAllAsync(SendAsync(Head + "Connection: close\r\n" + Content("""{"model":"demo","messages":[]}""")).Result).Result).Length > 0, "there is room again");

        Assert.Equal("", refused);
        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Upload_BelowTheRate_IsCut()
    {
        await StartAsync(options => options with { Listen = options.Listen with { MinUploadBytesPerSecond = 10_000, SlowClientGrace = TimeSpan.FromSeconds(2) } });

        var stream = await SendAsync(Head + "Content-Length: 100000\r\n\r\n{\"model\":");
        var answer = await ReadAllAsync(stream);

        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"invalid_body\"", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task Upload_ThatPausesUntilALimitPasses_IsNoFaultOfTheReplica()
    {
        await StartAsync(options => options with { Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromSeconds(1) } });
        _engine.Script = async call =>
        {
            while (await call.ReadSomeAsync() > 0)
            {
            }
        };

        var answer = await ReadAllAsync(await SendAsync(Form));

        Assert.StartsWith("HTTP/1.1 408", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"invalid_body\"", answer, StringComparison.Ordinal);
        Assert.Single(_engine.Calls);
        Assert.Equal(0, _world!.Pool.ReplicaList[0].FaultsInARow);
    }

    [Theory]
    [InlineData(Head + "Content-Length: 100000\r\n\r\n{\"model\":", false)]
    [InlineData(Head + "Content-Length: 100000\r\n\r\n{\"model\":", true)]
    [InlineData(Form, false)]
    [InlineData(Form, true)]
    public async Task Upload_WhoseClientLeaves_CountsAsLeftAndAlarmsNobody(string half, bool resets)
    {
        const int Clients = 8;
        using var logs = new CapturedLogs();
        _world = await GatewayWorld.BeforeAsync([_engine], settings: new ServerSettings { ConfigureLogging = builder => builder.AddProvider(logs) });
        _engine.Script = async call =>
        {
            while (await call.ReadSomeAsync() > 0)
            {
            }
        };

        for (var i = 0; i < Clients; i++)
        {
            var stream = await SendAsync(half);
            stream.Socket.LingerState = new LingerOption(resets, 0);
            await stream.DisposeAsync();
        }

        await Until.HoldsAsync(async () => await _world.Client.MetricAsync("gateway_requests_total") == Clients, "every upload is over");
        Assert.Equal(Clients, await _world.Client.MetricAsync("gateway_requests_total", "code=\"499\""));
        Assert.DoesNotContain(logs.Lines, line => line.Level >= LogLevel.Error);
    }

    [Fact]
    public async Task Answer_ThatNobodyTakes_IsCutAndTheEngineLetGo()
    {
        await using var engine = RawEngine.Start(async (stream, stop) =>
        {
            var frame = RawEngine.Frame(new string('x', 4_000));
            while (!stop.IsCancellationRequested)
            {
                await stream.WriteAsync(frame, stop);
            }
        });
        var options = new GatewayOptions
        {
            Listen = new() { Urls = ["http://127.0.0.1:0"], MinDownloadBytesPerSecond = 1_000_000, SlowClientGrace = TimeSpan.FromSeconds(2) },
            Models = [new() { Name = GatewayWorld.Model, Replicas = [new() { Url = engine.Uri }] }],
            Telemetry = new() { AccessLog = "off" },
        };
        await using var server = await GatewayServer.StartAsync(options, new ServerSettings(), _patience.Token);
        await server.ReadyAsync(_patience.Token);

        await SendAsync(Head + Content("""{"model":"demo","messages":[],"stream":true}"""), new Uri(server.Urls[0]));
        await Until.HoldsAsync(() => engine.Open == 1, "the stream has begun");
        await Until.HoldsAsync(() => engine.Open == 0, "the client that does not read is cut");

        await Until.HoldsAsync(() => server.Core.Find(GatewayWorld.Model)!.Pool.ReplicaList[0].Snapshot().RunningRequests == 0, "its reservation is returned");
    }

    [Fact]
    public async Task Bodies_BeyondTheMemoryForThem_AreRefusedUntilThereIsRoom()
    {
        await StartAsync(options => options with { Listen = options.Listen with { MaxBodyBytes = 1 << 19, MaxBufferedBytes = 1 << 20 } });
        var half = Head + "Content-Length: 400000\r\n\r\n" + new string(' ', 300_000);

        // One half in each turn: what is posted takes memory too, and a half that came meanwhile was refused itself.
        HttpResponseMessage? refused = null;
        await Until.HoldsAsync(
            async () =>
            {
                await SendAsync(half);
                refused?.Dispose();
                refused = await _world!.PostAsync("/v1/chat/completions", $$"""{"model":"demo","messages":[],"user":"{{new string('x', 400_000)}}"}""");
                return refused.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable;
            },
            "the bodies that come in fill the memory");
        await ErrorAnswer.AssertAsync(refused!, 503, "gateway_overloaded");
        Assert.Equal(TimeSpan.FromSeconds(1), refused!.Headers.RetryAfter!.Delta);
        refused.Dispose();

        _clients.ForEach(client => client.Dispose());
        await Until.HoldsAsync(
            () => _world!.PostAsync("/v1/chat/completions", $$"""{"model":"demo","messages":[],"user":"{{new string('x', 400_000)}}"}""").Result.IsSuccessStatusCode,
            "there is room again once the slow clients are gone");
    }

    [Fact]
    public async Task Bodies_OfOneTenantThatNeverEnd_LeaveRoomForTheOthers()
    {
        var access = new AccessOptions
        {
            Tenants = [new() { Name = "slow", Keys = ["sha256:" + Convert.ToHexStringLower(SHA256.HashData("slow-key"u8))] }, new() { Name = "quick", Keys = ["sha256:" + Convert.ToHexStringLower(SHA256.HashData("quick-key"u8))] }],
        };
        await StartAsync(options => options with { Access = access, Listen = options.Listen with { MaxBodyBytes = 1 << 19, MaxBufferedBytes = 1 << 20 } });
        var body = $$"""{"model":"demo","messages":[],"user":"{{new string('x', 400_000)}}"}""";
        await Until.HoldsAsync(
            async () =>
            {
                await SendAsync(Head + "x-api-key: slow-key\r\nContent-Length: 400000\r\n\r\n" + new string(' ', 300_000));
                using var own = await _world!.PostAsync("/v1/chat/completions", body, [("x-api-key", "slow-key")]);
                return own.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable;
            },
            "the tenant's uploads leave it no room of its own");

        using var response = await _world!.PostAsync("/v1/chat/completions", body, [("x-api-key", "quick-key")]);

        Assert.Equal(200, (int)response.StatusCode);
    }

    private static string Content(string body) => $"Content-Length: {body.Length}\r\n\r\n{body}";

    private async Task StartAsync(Func<GatewayOptions, GatewayOptions> configure) => _world = await GatewayWorld.BeforeAsync([_engine], configure);

    private async Task<NetworkStream> SendAsync(string bytes, Uri? address = null)
    {
        address ??= new Uri(_world!.Server.Urls[0]);
        var client = new TcpClient();
        _clients.Add(client);
        await client.ConnectAsync(address.Host, address.Port, _patience.Token);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes(bytes), _patience.Token);
        return client.GetStream();
    }

    private async Task<string> ReadAllAsync(NetworkStream stream)
    {
        using var answer = new MemoryStream();
        try
        {
            await stream.CopyToAsync(answer, _patience.Token);
        }
        catch (IOException)
        {
            // A reset is as good as an end.
        }
        return Encoding.UTF8.GetString(answer.ToArray());
    }
}
