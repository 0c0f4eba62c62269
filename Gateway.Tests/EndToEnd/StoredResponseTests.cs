using System.Net;
using System.Text.Json;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Stored responses live in one replica, whatever the load says.</summary>
public sealed class StoredResponseTests : IAsyncLifetime
{
    private readonly ScriptedEngine[] _engines = new ScriptedEngine[3];
    private GatewayWorld _world = null!;

    public async Task InitializeAsync()
    {
        for (var i = 0; i < _engines.Length; i++)
        {
            var name = $"resp_{i}_";
            var made = 0;
            _engines[i] = new ScriptedEngine(call => call.JsonAsync(call.Method == "POST"
                ? $$"""{"id":"{{name}}{{Interlocked.Increment(ref made)}}","object":"response","model":"demo","status":"completed","output":[]}"""
                : $$"""{"from":"{{name}}"}"""));
        }
        _world = await GatewayWorld.BeforeAsync(_engines);
    }

    public async Task DisposeAsync()
    {
        await _world.DisposeAsync();
        foreach (var engine in _engines)
        {
            await engine.DisposeAsync();
        }
    }

    [Fact]
    public async Task GetAndDelete_ByTheId_GoToTheReplicaThatHoldsIt()
    {
        foreach (var id in await MakeAsync(9))
        {
            var holder = id[..7];

            using var got = await _world.Client.GetAsync($"/v1/responses/{id}?include=x");
            using var deleted = await _world.Client.DeleteAsync($"/v1/responses/{id}");

            Assert.Equal($$"""{"from":"{{holder}}"}""", await got.Content.ReadAsStringAsync());
            Assert.Equal($$"""{"from":"{{holder}}"}""", await deleted.Content.ReadAsStringAsync());
            var engine = _engines[id[5] - '0'];
            Assert.Equal([("GET", $"/v1/responses/{id}?include=x"), ("DELETE", $"/v1/responses/{id}")], engine.Calls.TakeLast(2).Select(call => (call.Method, call.Target)));
            Assert.All(engine.Calls.TakeLast(2), call => Assert.Empty(call.Header("Content-Length")));
        }
    }

    [Fact]
    public async Task Get_WhileTheHolderDrains_ReadsWhatItHolds()
    {
        var id = (await MakeAsync(1))[0];
        var holder = _world.Pool.ReplicaList[id[5] - '0'];
        holder.SetDraining(true);

        using var got = await _world.Client.GetAsync($"/v1/responses/{id}");
        using var next = await _world.PostAsync("/v1/responses", $$"""{"model":"demo","input":"x","previous_response_id":"{{id}}"}""");

        Assert.Equal($$"""{"from":"{{id[..7]}}"}""", await got.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.ServiceUnavailable, next.StatusCode);
    }

    [Fact]
    public async Task NextTurn_OfAStoredResponse_GoesToTheReplicaThatHoldsIt()
    {
        foreach (var id in await MakeAsync(6))
        {
            using var response = await _world.PostAsync("/v1/responses", $$"""{"model":"demo","input":"x","previous_response_id":"{{id}}"}""");

            Assert.Contains($"\"id\":\"{id[..7]}", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Get_StreamedResponse_IsFoundAgainByItsId()
    {
        const string Stream = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_s\",\"status\":\"in_progress\"}}\n\n"
            + "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":1,\"response\":{\"id\":\"resp_s\",\"status\":\"completed\"}}\n\n";
        foreach (var engine in _engines)
        {
            var answer = engine.Script;
            engine.Script = call => call.Method == "POST" ? call.StreamAsync(Stream) : answer(call);
        }

        using var made = await _world.PostAsync("/v1/responses", """{"model":"demo","input":"x","stream":true}""");
        await made.Content.ReadAsStringAsync();
        using var got = await _world.Client.GetAsync("/v1/responses/resp_s");

        var holder = Assert.Single(_engines, engine => engine.Calls.Any(call => call.Method == "POST"));
        Assert.Equal(HttpStatusCode.OK, got.StatusCode);
        Assert.Equal("GET", holder.Calls[^1].Method);
    }

    [Theory]
    [InlineData("")]
    [InlineData("?stream=true&starting_after=1")]
    public async Task Get_ResponseThatFailed_IsToldAsItIsAndNoFaultOfTheReplica(string query)
    {
        const string Failed = """{"id":"resp_b","object":"response","status":"failed","error":{"code":"server_error","message":"the run failed"},"model":"demo"}""";
        const string Last = "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":2,\"response\":" + Failed + "}\n\n";
        foreach (var engine in _engines)
        {
            engine.Script = call => call.Method == "POST" ? call.JsonAsync("""{"id":"resp_b","object":"response","status":"queued","error":null}""")
                : query.Length == 0 ? call.JsonAsync(Failed)
                : call.StreamAsync(Last);
        }
        await MakeAsync(1);

        for (var i = 0; i < 8; i++)
        {
            using var got = await _world.Client.GetAsync("/v1/responses/resp_b" + query);

            Assert.Equal((HttpStatusCode.OK, query.Length == 0 ? Failed : Last), (got.StatusCode, await got.Content.ReadAsStringAsync()));
        }
        Assert.All(_world.Pool.ReplicaList, replica => Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, replica.Health));
    }

    [Fact]
    public async Task Get_UnknownId_IsNotFoundAndReachesNoEngine()
    {
        using var response = await _world.Client.GetAsync("/v1/responses/resp_nobody");

        await ErrorAnswer.AssertAsync(response, 404, "response_not_found");
        Assert.All(_engines, engine => Assert.Empty(engine.Calls));
    }

    // A session's name is the client's to choose, and a replica is remembered for it as for a response.
    [Theory]
    [InlineData("../../flush_cache", "%252e%252e/%252e%252e/flush_cache")]
    [InlineData("../../flush_cache", "..%2f..%2fflush_cache")]
    [InlineData("../../flush_cache", "..%252f..%252fflush_cache")]
    [InlineData("..", "%252e%252e")]
    [InlineData("x/cancel", "x/cancel")]
    [InlineData("x?a=b", "x%3fa=b")]
    public async Task Get_IdThatIsAPath_ReachesNoEngine(string name, string target)
    {
        using var made = await _world.PostAsync("/v1/responses", """{"model":"demo","input":"x"}""", [("x-session-id", name)]);
        Assert.Equal(HttpStatusCode.OK, made.StatusCode);

        var answer = await RawClient.GetAsync(new Uri(_world.Server.Urls[0]), "GET", "/v1/responses/" + target, CancellationToken.None);

        Assert.StartsWith("HTTP/1.1 404", answer, StringComparison.Ordinal);
        Assert.All(_engines.SelectMany(engine => engine.Calls), call => Assert.Equal("POST", call.Method));
    }

    [Fact]
    public async Task Holder_ThatIsGone_IsNotReplacedByAnother()
    {
        var id = (await MakeAsync(1)).Single();
        var holder = _engines[id[5] - '0'];
        var before = _engines.Except([holder]).Sum(engine => engine.Calls.Count);
        holder.Close();

        using var response = await _world.Client.GetAsync($"/v1/responses/{id}");

        Assert.True((int)response.StatusCode is 502 or 503, $"{response.StatusCode}");
        Assert.Equal(before, _engines.Except([holder]).Sum(engine => engine.Calls.Count));
    }

    [Fact]
    public async Task Explain_OfTheNextTurn_NamesTheReplicaThatHoldsTheResponse()
    {
        foreach (var id in await MakeAsync(6))
        {
            using var response = await _world.PostAsync("/-/explain?route=/v1/responses", $$"""{"model":"demo","input":"x","previous_response_id":"{{id}}"}""");
            using var told = JsonDocument.Parse(await response.Content.ReadAsStringAsync());

            Assert.Equal(_world.Pool.ReplicaList[id[5] - '0'].Id, told.RootElement.GetProperty("replica").GetString());
        }
    }

    [Fact]
    public async Task NextTurn_OfAResponseThatAFallbackMade_GoesOnThere()
    {
        await using var gone = new ScriptedEngine(call => call.JsonAsync("{}"), ["demo"]);
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"id":"resp_f","object":"response","model":"other","status":"completed","output":[]}"""), ["other"]);
        await using var world = await GatewayWorld.BeforeAsync([gone, engine], options => options with
        {
            Models =
            [
                options.Models[0] with { Aliases = [], Fallbacks = ["other"], Replicas = [options.Models[0].Replicas[0]] },
                options.Models[0] with { Name = "other", Aliases = [], Replicas = [options.Models[0].Replicas[1]] },
            ],
        });
        gone.Close();

        using var made = await world.PostAsync("/v1/responses", """{"model":"demo","input":"x"}""");
        using var next = await world.PostAsync("/v1/responses", """{"model":"demo","input":"y","previous_response_id":"resp_f"}""");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (made.StatusCode, next.StatusCode));
        Assert.Equal(2, engine.Calls.Count(call => call.Method == "POST"));
    }

    private async Task<IReadOnlyList<string>> MakeAsync(int count)
    {
        var ids = new List<string>();
        for (var i = 0; i < count; i++)
        {
            using var response = await _world.PostAsync("/v1/responses", $$"""{"model":"demo","input":"number {{i}}"}""");
            ids.Add((await response.Content.ReadAsStringAsync()).Split('"')[3]);
        }
        return ids;
    }
}
