using System.Globalization;
using System.Text.RegularExpressions;
using Gateway.Configuration;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Which headers pass, which stay here, and which are ours.</summary>
public sealed partial class HeaderTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Ask = """{"model":"demo","messages":[]}""";

    [Theory]
    [InlineData("x-gateway-priority", "batch")]
    [InlineData("X-Gateway-Anything", "x")]
    [InlineData("Cookie", "session=1")]
    [InlineData("Connection", "close, X-Hop")]
    [InlineData("Keep-Alive", "timeout=5")]
    [InlineData("TE", "trailers")]
    [InlineData("Upgrade", "websocket")]
    [InlineData("Proxy-Authorization", "Basic x")]
    [InlineData("Accept-Encoding", "gzip, br")]
    [InlineData("X-Cache-Salt", "tenant")]
    [InlineData("x-custom-labels", "a=b")]
    [InlineData("X-Override-Priority", "9")]
    [InlineData("x-prefiller-host-port", "10.0.0.1:80")]
    [InlineData("x-encoder-hosts-ports", "10.0.0.1:80")]
    [InlineData("x-kv-cache-source-host-port", "10.0.0.1:80")]
    [InlineData("endpoint-load-metrics-format", "TEXT")]
    [InlineData("X-data-parallel-rank", "3")]
    [InlineData("X-SMG-Target-Worker", "w")]
    public async Task Header_ThatOnlyTrustedCallersMaySend_DoesNotReachTheEngine(string name, string value)
    {
        await using var world = new Pair();
        await world.StartAsync();

        using var response = await world.Gateway.PostAsync(Chat, Ask, [(name, value), ("X-Invented", "passes")]);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.DoesNotContain(value, world.Call.Header(name));
        Assert.Equal(["passes"], world.Call.Header("X-Invented"));
    }

    [Theory]
    [InlineData("X-Hop")]
    [InlineData("x-other,X-HOP , x-more")]
    public async Task Header_NamedByTheClientsConnection_DoesNotReachTheEngine(string connection)
    {
        await using var world = new Pair();
        await world.StartAsync();

        using var response = await world.Gateway.PostAsync(Chat, Ask, [("Connection", connection), ("X-Hop", "secret"), ("X-Invented", "passes")]);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Empty(world.Call.Header("X-Hop"));
        Assert.Equal(["passes"], world.Call.Header("X-Invented"));
    }

    [Theory]
    [InlineData("X-Hop")]
    [InlineData("keep-alive, x-hop")]
    [InlineData("close,X-HOP , x-other")]
    public async Task Header_NamedByTheEnginesConnection_DoesNotReachTheClient(string connection)
    {
        await using var world = new Pair($"Connection: {connection}\r\nX-Hop: secret\r\nX-Invented: passes\r\n");
        await world.StartAsync();

        using var response = await world.Gateway.PostAsync(Chat, Ask);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.False(response.Headers.Contains("X-Hop"));
        Assert.Equal(["passes"], response.Headers.GetValues("X-Invented"));
    }

    [Fact]
    public async Task Headers_ThatEnginesRead_Pass()
    {
        await using var world = new Pair();
        await world.StartAsync();
        (string, string)[] sent =
        [
            ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), ("tracestate", "a=b"), ("baggage", "k=v"),
            ("anthropic-version", "2023-06-01"), ("anthropic-beta", "x-1"), ("OpenAI-Organization", "org"), ("User-Agent", "test/1.0 (x)"),
            ("Accept", "text/event-stream"), ("x-session-id", "s1"),
        ];

        using var response = await world.Gateway.PostAsync(Chat, Ask, sent);

        Assert.All(sent, header => Assert.Equal([header.Item2], world.Call.Header(header.Item1)));
        Assert.Equal([$"{Pair.Host(world.Engine)}"], world.Call.Header("Host"));
        Assert.Equal(["application/json; charset=utf-8"], world.Call.Header("Content-Type"));
        Assert.Empty(world.Call.Header("X-Forwarded-For"));
    }

    [Fact]
    public async Task Authorization_WithoutAPoolKey_PassesAsThroughAPlainProxy()
    {
        await using var world = new Pair();
        await world.StartAsync();

        using var response = await world.Gateway.PostAsync(Chat, Ask, [("Authorization", "Bearer of-the-client"), ("x-api-key", "k")]);

        Assert.Equal(["Bearer of-the-client"], world.Call.Header("Authorization"));
        Assert.Equal(["k"], world.Call.Header("x-api-key"));
    }

    [Fact]
    public async Task Authorization_WithAPoolKey_IsThePoolsAlone()
    {
        await using var world = new Pair();
        await world.StartAsync(model => model with { ApiKeyEnv = "KEY" }, new ServerSettings { Environment = name => name == "KEY" ? "of-the-pool" : null });

        using var response = await world.Gateway.PostAsync(Chat, Ask, [("Authorization", "Bearer of-the-client"), ("x-api-key", "k"), ("api-key", "k")]);

        Assert.Equal(["Bearer of-the-pool"], world.Call.Header("Authorization"));
        Assert.Empty(world.Call.Header("x-api-key"));
        Assert.Empty(world.Call.Header("api-key"));
    }

    [Theory]
    [InlineData("x-request-id", "client-id_1.2:3/4")]
    [InlineData("x-correlation-id", "corr-7")]
    public async Task RequestId_ThatIsSafe_IsAdoptedEverywhere(string header, string id)
    {
        await using var world = new Pair();
        await world.StartAsync();

        using var good = await world.Gateway.PostAsync(Chat, Ask, [(header, id)]);
        using var bad = await world.Gateway.PostAsync(Chat, "{", [(header, id)]);

        Assert.Equal(id, good.Headers.GetValues("x-request-id").Single());
        Assert.Equal(id, bad.Headers.GetValues("x-request-id").Single());
        Assert.Equal(id, world.Call.Header("x-request-id").Single());
    }

    [Theory]
    [InlineData("has space")]
    [InlineData("<script>")]
    [InlineData("")]
    public async Task RequestId_ThatIsUnsafe_IsReplaced(string id)
    {
        await using var world = new Pair();
        await world.StartAsync();

        using var response = await world.Gateway.PostAsync(Chat, Ask, [("x-request-id", id)]);
        using var tooLong = await world.Gateway.PostAsync(Chat, Ask, [("x-request-id", new string('a', 129))]);

        Assert.Matches("^[0-9a-f]{32}$", response.Headers.GetValues("x-request-id").Single());
        Assert.Matches("^[0-9a-f]{32}$", tooLong.Headers.GetValues("x-request-id").Single());
        Assert.Matches("^[0-9a-f]{32}$", world.Call.Header("x-request-id").Single());
    }

    [Fact]
    public async Task RequestId_OfARequestUnderWay_IsNoNameOfASecondOneAtTheEngine()
    {
        var both = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = ScriptedEngine.HeldUntil(both.Task);
        await using var gateway = await GatewayWorld.BeforeAsync([engine]);

        var asked = new[] { gateway.PostAsync(Chat, Ask, [("x-request-id", "same")]), gateway.PostAsync(Chat, Ask, [("x-request-id", "same")]) };
        await Until.HoldsAsync(() => engine.Calls.Count == 2, "both at the engine");
        both.SetResult();
        foreach (var response in await Task.WhenAll(asked))
        {
            using (response)
            {
                Assert.Equal("same", response.Headers.GetValues("x-request-id").Single());
            }
        }
        using var later = await gateway.PostAsync(Chat, Ask, [("x-request-id", "same")]);

        var ids = engine.Calls.Select(call => call.Header("x-request-id").Single()).ToList();
        Assert.Single(ids[..2], "same");
        Assert.Single(ids[..2], id => SameAndMore().IsMatch(id));
        Assert.Equal("same", ids[2]);
    }

    [Fact]
    public async Task RequestId_OfASecondAttempt_IsNotThatOfTheFirst()
    {
        var calls = 0;
        await using var engine = new ScriptedEngine(call => Interlocked.Increment(ref calls) == 1
            ? call.JsonAsync("""{"error":{"message":"boom"}}""", status: 500)
            : call.JsonAsync("""{"id":"c"}"""));
        await using var gateway = await GatewayWorld.BeforeAsync([engine]);

        using var response = await gateway.PostAsync(Chat, Ask, [("x-request-id", "same")]);

        Assert.Equal("same", engine.Calls[0].Header("x-request-id").Single());
        Assert.Matches(SameAndMore(), engine.Calls[1].Header("x-request-id").Single());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ResponseHeaders_OfTheGateway_AreThereAndTheReplicaOnlyWhereItMay(bool namesReplica)
    {
        await using var world = new Pair("X-Request-Id: of-the-engine\r\nx-gateway-queue-ms: 99999\r\nx-gateway-replica: spoofed\r\nKeep-Alive: timeout=5\r\n");
        await world.StartAsync(options: options => options with { Telemetry = options.Telemetry with { ReplicaHeader = namesReplica } });

        using var response = await world.Gateway.PostAsync(Chat, Ask, [("x-request-id", "mine")]);

        Assert.Equal(["mine"], response.Headers.GetValues("x-request-id"));
        Assert.InRange(Number(response, "x-gateway-queue-ms"), 0, 20_000);
        Assert.InRange(Number(response, "x-gateway-estimated-output-tokens"), 1, 100_000);
        Assert.Equal(0, Number(response, "x-gateway-prefix-hit-tokens"));
        Assert.Equal(namesReplica ? [Pair.Host(world.Engine)] : [], response.Headers.TryGetValues("x-gateway-replica", out var replica) ? replica : []);
        Assert.False(response.Headers.Contains("Keep-Alive"));
    }

    private static long Number(HttpResponseMessage response, string name) => long.Parse(response.Headers.GetValues(name).Single(), CultureInfo.InvariantCulture);

    /// <summary>One engine and one gateway.</summary>
    [GeneratedRegex("^same-[0-9a-f]{8}$")]
    private static partial Regex SameAndMore();

    private sealed class Pair(string answerHeaders = "") : IAsyncDisposable
    {
        public ScriptedEngine Engine { get; } = new(call => call.JsonAsync("""{"id":"c"}""", headers: answerHeaders));

        public GatewayWorld Gateway { get; private set; } = null!;

        public ScriptedCall Call => Engine.Calls[^1];

        public static string Host(ScriptedEngine engine) => $"{engine.Uri.Host}:{engine.Uri.Port}";

        public async Task StartAsync(
            Func<Gateway.Replicas.ModelOptions, Gateway.Replicas.ModelOptions>? model = null, ServerSettings? settings = null,
            Func<GatewayOptions, GatewayOptions>? options = null) =>
            Gateway = await GatewayWorld.BeforeAsync(
                [Engine], given => (options ?? (same => same))(GatewayWorld.WithModel(given, model ?? (same => same))), settings);

        public async ValueTask DisposeAsync()
        {
            await Gateway.DisposeAsync();
            await Engine.DisposeAsync();
        }
    }
}
