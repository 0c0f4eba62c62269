using System.Net;
using System.Text.Json;
using Gateway.Configuration;
using Gateway.Dashboard;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The status page over HTTP: its files, its live events, and who may see them. What it looks like is checked in a browser by Clients/page.mjs.</summary>
public sealed class StatusPageTests : IAsyncLifetime
{
    private const int MostBytes = 64 << 10;

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c","choices":[{"message":{"content":"planted-answer"}}]}"""));
    private GatewayWorld? _world;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _world!.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task Files_OfThePage_AreSmallAndAllowNothingFromElsewhere()
    {
        await StartAsync();

        var total = 0L;
        foreach (var (path, _) in StatusFiles.All)
        {
            using var response = await _world!.Client.GetAsync("/ui/" + path);
            var body = await response.Content.ReadAsStringAsync();
            total += body.Length;
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'", Assert.Single(response.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(response.Headers.GetValues("X-Content-Type-Options")));
            Assert.DoesNotContain("https://", body, StringComparison.Ordinal);
            Assert.DoesNotContain("innerHTML", body, StringComparison.Ordinal);
        }

        Assert.InRange(total, 1, MostBytes);
    }

    [Fact]
    public async Task Page_WithoutItsSlash_LeadsToIt()
    {
        await StartAsync();

        using var response = await _world!.Client.GetAsync("/ui");

        Assert.Equal("/ui/", response.RequestMessage!.RequestUri!.AbsolutePath);
        Assert.Equal("text/html", response.Content.Headers.ContentType!.MediaType);
    }

    [Fact]
    public async Task Events_AfterARequest_TellItsDecisionAndNoText()
    {
        await StartAsync();
        using (await _world!.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"planted-prompt"}]}""", [("x-request-id", "asked-1")]))
        {
        }
        await using var events = await EventsAsync();

        var text = await events.NextAsync();

        using var state = JsonDocument.Parse(text);
        var decision = Assert.Single(state.RootElement.GetProperty("decisions").EnumerateArray());
        Assert.Equal("asked-1", decision.GetProperty("id").GetString());
        Assert.Equal(_world.Pool.ReplicaList[0].Id, decision.GetProperty("replica").GetString());
        Assert.Equal("The only replica with room.", decision.GetProperty("why").GetString());
        var row = Assert.Single(state.RootElement.GetProperty("fleet").GetProperty("rows").EnumerateArray());
        Assert.Equal(("up", "u0"), (row.GetProperty("health").GetString(), state.RootElement.GetProperty("fleet").GetProperty("marks").GetString()));
        Assert.DoesNotContain("planted", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_AfterARefusedEdit_TellItsProblemsAndNoFolderOrTenant()
    {
        await StartAsync();
        _world!.Server.Status.OnRefusedReload(
        [
            new ConfigurationProblem(new SourceSpot("/etc/planted/gateway.yaml", 3, 9), "queue.order", "no such order.", "boost"),
            new ConfigurationProblem(new SourceSpot("/etc/planted/gateway.yaml", 5, 7), "access.tenants[1].name", "\"planted\" is taken.", null),
        ]);
        await using var events = await EventsAsync();

        var text = await events.NextAsync();

        using var state = JsonDocument.Parse(text);
        Assert.True(state.RootElement.GetProperty("is_open").GetBoolean());
        Assert.Equal(
            ["gateway.yaml:3:9  queue.order: no such order. Did you mean \"boost\"?", "gateway.yaml:5:7  access.tenants[1].name: gateway check and the log say what is wrong."],
            state.RootElement.GetProperty("rejected_reload").GetProperty("problems").EnumerateArray().Select(problem => problem.GetString()));
        Assert.DoesNotContain("planted", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Events_AfterADrain_ShowItAndTheUndrain()
    {
        await StartAsync();
        await using var events = await EventsAsync();
        await events.NextAsync();
        var path = $"/-/replicas/{_world!.Pool.ReplicaList[0].Id}/";

        using (await _world.PostAsync(path + "drain", ""))
        {
        }
        await events.UntilAsync("draining", 1);
        using (await _world.PostAsync(path + "undrain", ""))
        {
        }
        await events.UntilAsync("draining", 0);
    }

    [Fact]
    public async Task Events_WhileTenantsWait_NameThemAsTheLogDoes()
    {
        var gate = new TaskCompletionSource();
        _engine.Script = async call =>
        {
            await gate.Task;
            await call.JsonAsync("""{"id":"c"}""");
        };
        await StartAsync(options => options with
        {
            Queue = options.Queue with { Admission = "window", WindowRequests = 1 },
            Access = new() { Tenants = [new() { Name = "chat", KeyEnv = ["CHAT"] }] },
            Telemetry = options.Telemetry with { Tenants = TenantNaming.Name },
        });
        var asked = Enumerable.Range(0, 3).Select(_ => _world!.PostAsync("/v1/chat/completions", """{"model":"demo"}""", [("Authorization", "Bearer key-chat")])).ToArray();
        await GatewayWorld.UntilAsync(() => _world!.Server.Core.Find("demo")!.Dispatcher.Waiting(Gateway.Requests.PriorityClass.Default) == 2, "two requests wait");
        await using var events = await EventsAsync();

        var state = JsonSerializer.Deserialize<JsonElement>(await events.NextAsync());
        // A request is counted for its tenant just after it stands in the queue.
        for (var later = 0; later < 10 && state.GetProperty("tenants").EnumerateArray().Sum(queued => queued.GetProperty("waiting").GetInt32()) < 2; later++)
        {
            state = JsonSerializer.Deserialize<JsonElement>(await events.NextAsync());
        }

        gate.SetResult();
        foreach (var answer in await Task.WhenAll(asked))
        {
            answer.Dispose();
        }
        var tenant = Assert.Single(state.GetProperty("tenants").EnumerateArray());
        Assert.Equal(("chat", 2), (tenant.GetProperty("tenant").GetString(), tenant.GetProperty("waiting").GetInt32()));
        Assert.Equal(2, state.GetProperty("queue").GetProperty("default").GetInt32());
    }

    [Fact]
    public async Task Page_WithOpsKeys_IsOpenButItsEventsAskForOne()
    {
        await StartAsync(options => options with { Access = new() { OpsKeyEnv = ["OPS"], Tenants = [new() { Name = "a", KeyEnv = ["A"] }] } });

        using var page = await _world!.Client.GetAsync("/ui/");
        using var stranger = await _world.Client.GetAsync("/ui/events");
        await using var events = await EventsAsync("key-ops");

        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        await ErrorAnswer.AssertAsync(stranger, 401, "invalid_api_key");
        Assert.Contains("\"rows\"", await events.NextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Page_WithAnOpsAddress_IsNowhereElse()
    {
        await StartAsync(options => options with { Listen = options.Listen with { Ops = "http://127.0.0.1:0" } });

        using var onData = await _world!.Client.GetAsync("/ui/");
        using var eventsOnData = await _world.Client.GetAsync("/ui/events");
        using var onOps = await _world.Client.GetAsync(_world.Server.Urls[1] + "/ui/");

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound, HttpStatusCode.OK), (onData.StatusCode, eventsOnData.StatusCode, onOps.StatusCode));
    }

    [Fact]
    public async Task Events_ForMoreViewersThanAreAllowed_AreRefusedUntilOneLeaves()
    {
        await StartAsync();
        var viewers = new List<Events>();
        for (var i = 0; i < StatusFeed.MaxViewers; i++)
        {
            viewers.Add(await EventsAsync());
        }

        using var refused = await _world!.Client.GetAsync("/ui/events");
        await Task.WhenAll(viewers.Select(async viewer => await viewer.DisposeAsync()));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        var tries = 0;
        while (!await CanEnterAsync())
        {
            Assert.True(++tries < 10_000, "nobody may look again");
        }
    }

    [Fact]
    public async Task Events_WhenTheGatewayStops_End()
    {
        await StartAsync();
        await using var events = await EventsAsync();
        await events.NextAsync();

        await _world!.Server.StopAsync(CancellationToken.None);

        await Assert.ThrowsAsync<EndOfStreamException>(async () =>
        {
            while (true)
            {
                await events.NextAsync();
            }
        });
    }

    [Theory]
    [InlineData("cross-site", HttpStatusCode.Forbidden)]
    [InlineData("same-site", HttpStatusCode.Forbidden)]
    [InlineData("same-origin", HttpStatusCode.OK)]
    [InlineData("none", HttpStatusCode.OK)]
    public async Task Drain_FromABrowser_IsForTheGatewaysOwnPageOnly(string site, HttpStatusCode expected)
    {
        await StartAsync();

        using var response = await _world!.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "", [("Sec-Fetch-Site", site)]);

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK, _world.Pool.ReplicaList[0].Health == Gateway.Replicas.ReplicaHealth.Draining);
    }

    [Theory]
    [InlineData("http://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("null", HttpStatusCode.Forbidden)]
    [InlineData("http://gateway.example:9090", HttpStatusCode.OK)]
    public async Task Drain_FromABrowserThatOnlyNamesThePagesOrigin_IsForTheGatewaysOwnPageOnly(string origin, HttpStatusCode expected)
    {
        await StartAsync();

        using var response = await _world!.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "", [("Origin", origin), ("Host", "gateway.example:9090")]);

        Assert.Equal(expected, response.StatusCode);
        Assert.Equal(expected == HttpStatusCode.OK, _world.Pool.ReplicaList[0].Health == Gateway.Replicas.ReplicaHealth.Draining);
    }

    private async Task<bool> CanEnterAsync()
    {
        using var response = await _world!.Client.GetAsync("/ui/events", HttpCompletionOption.ResponseHeadersRead);
        return response.IsSuccessStatusCode;
    }

    private async Task StartAsync(Func<Gateway.Configuration.GatewayOptions, Gateway.Configuration.GatewayOptions>? configure = null) => _world = await GatewayWorld.BeforeAsync(
        [_engine], configure, new ServerSettings { Environment = name => $"key-{name.ToLowerInvariant()}" });

    private async Task<Events> EventsAsync(string? key = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/ui/events");
        if (key is not null)
        {
            request.Headers.Add("x-api-key", key);
        }
        var response = await _world!.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        return new Events(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    private sealed class Events(HttpResponseMessage response, StreamReader reader) : IAsyncDisposable
    {
        public async Task<string> NextAsync()
        {
            var line = await reader.ReadLineAsync() ?? throw new EndOfStreamException();
            Assert.Equal("", await reader.ReadLineAsync());
            Assert.StartsWith("data: ", line, StringComparison.Ordinal);
            return line["data: ".Length..];
        }

        /// <summary>Reads on until a count of the fleet is what it should be.</summary>
        public async Task UntilAsync(string name, int expected)
        {
            for (var i = 0; i < 20; i++)
            {
                using var state = JsonDocument.Parse(await NextAsync());
                if (state.RootElement.GetProperty("fleet").GetProperty(name).GetInt32() == expected)
                {
                    return;
                }
            }
            Assert.Fail($"\"{name}\" never was {expected}.");
        }

        public ValueTask DisposeAsync()
        {
            reader.Dispose();
            response.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
