using System.Net;
using System.Text.Json;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The allow-list: every route works, and what is not on it reaches no engine.</summary>
public sealed class RoutesTests : IAsyncLifetime
{
    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"route":"served"}"""), ["demo", "org/big:v1"]);
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync(
        [_engine], options => GatewayWorld.WithModel(options, model => model with { Aliases = ["org/big:v1"] }));

    public async Task DisposeAsync()
    {
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("/v1/chat/completions", """ "messages":[{"role":"user","content":"x"}]""")]
    [InlineData("/v1/completions", """ "prompt":["a","b"]""")]
    [InlineData("/v1/completions", """ "prompt":[[1,2],[3]]""")]
    [InlineData("/v1/responses", """ "input":[{"role":"user","content":[{"type":"input_text","text":"x"}]}]""")]
    [InlineData("/v1/messages", """ "max_tokens":8,"system":[{"type":"text","text":"s"}],"messages":[{"role":"user","content":"x"}]""")]
    [InlineData("/v1/messages/count_tokens", """ "messages":[{"role":"ctx","content":"x"}]""")]
    [InlineData("/v1/embeddings", """ "input":["a",[1,2]],"encoding_format":"base64" """)]
    [InlineData("/v1/rerank", """ "query":"q","documents":["a",{"text":"b"}]""")]
    [InlineData("/v2/rerank", """ "query":"q","documents":["a"]""")]
    [InlineData("/rerank", """ "query":"q","documents":["a"]""")]
    [InlineData("/v1/score", """ "text_1":"a","text_2":["b"]""")]
    [InlineData("/score", """ "text_1":"a","text_2":"b" """)]
    [InlineData("/classify", """ "input":"a" """)]
    [InlineData("/tokenize", """ "prompt":"a" """)]
    [InlineData("/detokenize", """ "tokens":[1,2]""")]
    public async Task DataRoute_WithItsBody_IsForwardedToTheSamePath(string path, string members)
    {
        using var response = await _world.PostAsync(path, $$"""{"model":"demo",{{members}}}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("""{"route":"served"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal(("POST", path), (_engine.Calls[^1].Method, _engine.Calls[^1].Target));
    }

    [Fact]
    public async Task Classify_AnsweredWithAList_PassesTheList()
    {
        _engine.Script = call => call.JsonAsync("""[{"label":"a","score":0.5}]""");

        using var response = await _world.PostAsync("/classify", """{"model":"demo","input":"a"}""");

        Assert.Equal("""[{"label":"a","score":0.5}]""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Speech_AnsweredWithAudio_PassesTheBytes()
    {
        var audio = Enumerable.Range(0, 200_000).Select(i => (byte)(i * 31)).ToArray();
        _engine.Script = call => call.AnswerAsync("audio/mpeg", audio);

        using var response = await _world.PostAsync("/v1/audio/speech", """{"model":"demo","input":"say it","voice":"x"}""");

        Assert.Equal("audio/mpeg", response.Content.Headers.ContentType?.MediaType);
        var received = await response.Content.ReadAsByteArrayAsync();
        Assert.True(audio.SequenceEqual(received), "The audio changed on its way.");
    }

    [Fact]
    public async Task Models_OfAllPools_ListNamesAndAliases()
    {
        using var json = JsonDocument.Parse(await _world.Client.GetStringAsync("/v1/models"));

        var data = json.RootElement.GetProperty("data").EnumerateArray().ToArray();
        Assert.Equal("list", json.RootElement.GetProperty("object").GetString());
        Assert.Equal(["demo", "org/big:v1"], data.Select(model => model.GetProperty("id").GetString()));
        Assert.All(data, model => Assert.Equal(8192, model.GetProperty("max_model_len").GetInt32()));
    }

    [Theory]
    [InlineData("/v1/models/demo", "demo")]
    [InlineData("/v1/models/org/big:v1", "org/big:v1")]
    [InlineData("/v1/models/org%2Fbig%3Av1", "org/big:v1")]
    public async Task Model_BySlashOrPercentEncoding_IsFound(string target, string id)
    {
        var answer = await RawAsync("GET", target);

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Contains($"\"id\":\"{id}\"", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "input_items")]
    [InlineData("POST", "cancel")]
    public async Task Path_BelowAStoredResponse_IsNotOnTheList(string method, string below)
    {
        using var response = await _world.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), "/v1/responses/resp_1/" + below));

        await ErrorAnswer.AssertAsync(response, 404, "unknown_url");
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task Model_ThatIsUnknown_IsNotFoundInTheApisShape()
    {
        using var response = await _world.Client.GetAsync("/v1/models/nobody");

        await ErrorAnswer.AssertAsync(response, 404, "model_not_found");
    }

    [Theory]
    [InlineData("/health", "application/json")]
    [InlineData("/ping", "application/json")]
    [InlineData("/livez", "application/json")]
    [InlineData("/readyz", "application/json")]
    [InlineData("/version", "application/json")]
    [InlineData("/-/status", "application/json")]
    [InlineData("/-/replicas", "application/json")]
    [InlineData("/v1/models", "application/json")]
    [InlineData("/metrics", "text/plain")]
    [InlineData("/ui/", "text/html")]
    public async Task OpsRoute_ByGetAndHead_AnswersWithItsTypeAndAnId(string path, string type)
    {
        using var response = await _world.Client.GetAsync(path);
        using var head = await _world.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));

        Assert.Equal((HttpStatusCode.OK, type), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.NotEmpty(await response.Content.ReadAsStringAsync());
        Assert.Equal((HttpStatusCode.OK, type), (head.StatusCode, head.Content.Headers.ContentType?.MediaType));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        Assert.NotEmpty(response.Headers.GetValues("x-request-id").Single());
    }

    [Fact]
    public async Task Explain_OfARequest_TellsTheDecisionAndForwardsNothing()
    {
        using var response = await _world.PostAsync("/-/explain", """{"model":"demo","messages":[{"role":"user","content":"x"}]}""");

        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal("send", json.RootElement.GetProperty("decision").GetString());
        Assert.Equal(_world.Pool.ReplicaList[0].Id, json.RootElement.GetProperty("replica").GetString());
        Assert.Equal(JsonValueKind.Null, json.RootElement.GetProperty("hold").ValueKind);
        var candidate = Assert.Single(json.RootElement.GetProperty("candidates").EnumerateArray());
        Assert.Equal(candidate.GetProperty("cost_seconds").GetDouble(), candidate.GetProperty("parts_seconds").EnumerateObject().Sum(part => part.Value.GetDouble()), 5);
        Assert.False(candidate.GetProperty("speed_is_learned").GetBoolean());
        var predicted = json.RootElement.GetProperty("predicted");
        Assert.Equal(0, predicted.GetProperty("wait_seconds").GetDouble());
        Assert.InRange(predicted.GetProperty("ttft_seconds").GetDouble(), 0.001, predicted.GetProperty("e2e_seconds").GetDouble());
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task Explain_UnderACountingPolicy_CallsItsCostsNoTime()
    {
        _world.Server.Apply(_world.Server.Core.Options with { Routing = new() { Policy = "least_requests" } });

        using var response = await _world.PostAsync("/-/explain", """{"model":"demo","messages":[{"role":"user","content":"x"}]}""");

        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        Assert.Equal(("least_requests", "past_future"), (json.RootElement.GetProperty("policy").GetString(), json.RootElement.GetProperty("queue").GetProperty("admission").GetString()));
        var candidate = Assert.Single(json.RootElement.GetProperty("candidates").EnumerateArray());
        Assert.Equal(0, candidate.GetProperty("cost").GetDouble());
        Assert.False(candidate.TryGetProperty("cost_seconds", out _));
    }

    [Theory]
    [InlineData("/v1/foo")]
    [InlineData("/v1/audio/transcriptions")]
    public async Task Explain_OfARouteThatCannotBe_Is404AndNamesThoseThatCan(string route)
    {
        using var response = await _world.PostAsync("/-/explain?route=" + route, """{"model":"demo","messages":[]}""");

        var message = await ErrorAnswer.AssertAsync(response, 404, "unknown_url");
        Assert.Contains("?route=", message, StringComparison.Ordinal);
        Assert.Contains("Known: /v1/chat/completions, /v1/completions, /v1/responses, /v1/messages, ", message, StringComparison.Ordinal);
        Assert.DoesNotContain("transcriptions", message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_WithAHeaderThatIsNoNumber_Is400AndNamesIt()
    {
        using var response = await _world.PostAsync("/-/explain", """{"model":"demo","messages":[]}""", [("x-gateway-deadline-ms", "soon")]);

        Assert.Contains("x-gateway-deadline-ms", await ErrorAnswer.AssertAsync(response, 400, "invalid_header"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Drain_ThenUndrain_StopsAndResumesAReplica()
    {
        var id = _world.Pool.ReplicaList[0].Id;

        using var drain = await _world.PostAsync($"/-/replicas/{id}/drain", "");
        using var ready = await _world.Client.GetAsync("/readyz");
        using var undrain = await _world.PostAsync($"/-/replicas/{Uri.EscapeDataString(id)}/undrain", "");
        using var again = await _world.Client.GetAsync("/readyz");
        using var unknown = await _world.PostAsync("/-/replicas/nobody:1/drain", "");

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable), (drain.StatusCode, ready.StatusCode));
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (undrain.StatusCode, again.StatusCode));
        await ErrorAnswer.AssertAsync(unknown, 404, "replica_not_found");
    }

    [Theory]
    [InlineData("POST", "/flush_cache")]
    [InlineData("GET", "/server_info")]
    [InlineData("GET", "/get_server_info")]
    [InlineData("POST", "/v1/load_lora_adapter")]
    [InlineData("GET", "/v1")]
    [InlineData("GET", "/")]
    [InlineData("GET", "//v1/models")]
    [InlineData("GET", "/v1//models")]
    [InlineData("GET", "/V1/MODELS")]
    [InlineData("GET", "/v1/models/")]
    [InlineData("POST", "/v1/%2e%2e/flush_cache")]
    [InlineData("POST", "/v1/chat/completions/../../../flush_cache")]
    [InlineData("POST", "/v1/chat/completions/")]
    [InlineData("POST", "/v1/chat/completions/render")]
    [InlineData("POST", "/v1/chat%2Fcompletions")]
    [InlineData("GET", "/v1/responses/%2e%2e/%2e%2e/flush_cache")]
    [InlineData("GET", "/v1/responses/..%2f..%2fflush_cache")]
    [InlineData("DELETE", "/v1/responses/x/../../flush_cache")]
    public async Task UnknownRoute_HoweverItIsWritten_ReachesNoEngine(string method, string target)
    {
        var answer = await RawAsync(method, target);

        Assert.StartsWith("HTTP/1.1 404", answer, StringComparison.Ordinal);
        Assert.Contains("x-request-id", answer, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("\"type\":\"invalid_request_error\"", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    [Theory]
    [InlineData("POST", "/chat/completions", "Did you mean /v1/chat/completions? The base URL ends with /v1.")]
    [InlineData("GET", "/models/demo", "Did you mean /v1/models/demo? The base URL ends with /v1.")]
    [InlineData("POST", "/v1/v1/messages", "Did you mean /v1/messages? This client adds /v1 itself: leave it out of the base URL.")]
    [InlineData("POST", "/v1/v1/chat/completions", "Did you mean /v1/chat/completions? This client adds /v1 itself: leave it out of the base URL.")]
    [InlineData("GET", "/", "The models are at /v1/models, the status page is at /ui/.")]
    public async Task UnknownRoute_NearAKnownOne_NamesIt(string method, string target, string expected)
    {
        var answer = await RawAsync(method, target);

        Assert.StartsWith("HTTP/1.1 404", answer, StringComparison.Ordinal);
        Assert.Contains(expected, answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    [Theory]
    [InlineData("GET", "/v1/chat/completions", "POST")]
    [InlineData("HEAD", "/v1/messages", "POST")]
    [InlineData("PUT", "/v1/embeddings", "POST")]
    [InlineData("POST", "/v1/models", "GET, HEAD")]
    [InlineData("DELETE", "/v1/models/demo", "GET, HEAD")]
    [InlineData("POST", "/v1/responses/resp_1", "GET, DELETE")]
    [InlineData("OPTIONS", "/v1/chat/completions", "POST")]
    [InlineData("POST", "/livez", "GET, HEAD")]
    public async Task WrongMethod_OnAKnownPath_NamesTheRightOnes(string method, string target, string allowed)
    {
        using var response = await _world.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), target));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.Equal(allowed, string.Join(", ", response.Content.Headers.Allow));
        Assert.Equal("method_not_allowed", response.Headers.GetValues("x-gateway-reason").Single());
        Assert.Empty(_engine.Calls);
    }

    private async Task<string> RawAsync(string method, string target)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        return await RawClient.GetAsync(new Uri(_world.Server.Urls[0]), method, target, patience.Token);
    }
}
