using System.Net;
using System.Text.Json;
using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Configuration;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Who may enter, and how much each may use, over HTTP.</summary>
public sealed class AccessTests : IAsyncLifetime
{
    private const string Chat = "/v1/chat/completions";
    private const string Ask = """{"model":"demo","messages":[{"role":"user","content":"hello"}],"max_tokens":5}""";
    private const string AskStream = """{"model":"demo","messages":[{"role":"user","content":"hello"}],"max_tokens":50,"stream":true}""";
    private const string Answer = """{"id":"c","model":"demo","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}""";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync(Answer, headers: "x-ratelimit-limit-requests: 99\r\n"), ["demo", "other"]);
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await StartAsync(new LimitOptions());

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        Assert.All(_world.Server.Core.Options.Access!.Tenants, tenant => Assert.Equal((0, 0L), (Account(tenant.Name)?.Running ?? 0, Account(tenant.Name)?.ReservedTokens ?? 0)));
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData(Chat, false)]
    [InlineData("/v1/messages", true)]
    [InlineData("/v1/embeddings", false)]
    public async Task Request_WithoutAKnownKey_IsUnauthorizedAndCounted(string path, bool isAnthropic)
    {
        using var missing = await _world.PostAsync(path, Ask);
        using var wrong = await _world.PostAsync(path, Ask, [("Authorization", "Bearer no")]);

        await ErrorAnswer.AssertAsync(missing, 401, "invalid_api_key", isAnthropic);
        await ErrorAnswer.AssertAsync(wrong, 401, "invalid_api_key", isAnthropic);
        Assert.Equal("Bearer", wrong.Headers.WwwAuthenticate.Single().ToString());
        Assert.Empty(_engine.Calls);
        Assert.Contains("gateway_refusals_total{model=\"unknown\",reason=\"invalid_api_key\"} 2", await _world.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Authorization", "Bearer key-a")]
    [InlineData("x-api-key", "key-a")]
    [InlineData("api-key", "key-a")]
    public async Task Key_OfAClient_LetsItInAndReachesNoEngine(string header, string value)
    {
        using var response = await _world.PostAsync(Chat, Ask, [(header, value)]);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.DoesNotContain(_engine.Calls[^1].Headers, sent => sent.Value.Contains("key-a", StringComparison.Ordinal));
        Assert.DoesNotContain(response.Headers, sent => sent.Key.StartsWith("x-ratelimit", StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task Models_OfATenant_AreWhatItMayUse()
    {
        using var list = await GetAsync("/v1/models", "key-b");
        using var one = await GetAsync("/v1/models/demo", "key-b");
        using var nobody = await _world.Client.GetAsync("/v1/models");
        using var refused = await _world.PostAsync(Chat, Ask, [("x-api-key", "key-b")]);
        using var allowed = await _world.PostAsync(Chat, Ask.Replace("demo", "alias", StringComparison.Ordinal), [("x-api-key", "key-b")]);

        using var json = JsonDocument.Parse(await list.Content.ReadAsStringAsync());
        Assert.Equal(["alias"], json.RootElement.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()));
        await ErrorAnswer.AssertAsync(one, 404, "model_not_found");
        await ErrorAnswer.AssertAsync(nobody, 401, "invalid_api_key");
        await ErrorAnswer.AssertAsync(refused, 403, "model_not_allowed");
        Assert.Equal(HttpStatusCode.OK, allowed.StatusCode);
    }

    [Fact]
    public async Task Requests_BeyondTheRate_AreToldWhenToComeBack()
    {
        Apply(new LimitOptions { RequestsPerMinute = 1, TokensPerMinute = 100_000 });

        using var first = await AskAsync();
        using var second = await AskAsync();
        using var anthropic = await _world.PostAsync("/v1/messages", Ask, [("x-api-key", "key-a")]);

        Assert.Equal(("1", "0"), (Header(first, "x-ratelimit-limit-requests"), Header(first, "x-ratelimit-remaining-requests")));
        Assert.Equal("100000", Header(first, "x-ratelimit-limit-tokens"));
        Assert.InRange(int.Parse(Header(first, "x-ratelimit-remaining-tokens"), System.Globalization.CultureInfo.InvariantCulture), 90_000, 99_999);
        Assert.Matches(@"^\d+(\.\d+)?s$", Header(first, "x-ratelimit-reset-requests"));
        await ErrorAnswer.AssertAsync(second, 429, "rate_limit_exceeded");
        await ErrorAnswer.AssertAsync(anthropic, 429, "rate_limit_exceeded", isAnthropic: true);
        Assert.InRange(second.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        Assert.Equal("0", Header(second, "x-ratelimit-remaining-requests"));
    }

    [Fact]
    public async Task Budget_ThatIsSpent_IsFinalForTheDay()
    {
        Apply(new LimitOptions { DailyTokens = 30 });

        using var first = await AskAsync();
        using var second = await AskAsync();
        using var third = await _world.PostAsync(Chat, Ask.Replace("5}", "500}", StringComparison.Ordinal), [("x-api-key", "key-a")]);

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(HttpStatusCode.OK, second.StatusCode);
        await ErrorAnswer.AssertAsync(third, 429, "insufficient_quota");
        Assert.Equal("false", Header(third, "x-should-retry"));
        Assert.Equal(new TokenAmount(14, 6), Account("a")!.Charged);
    }

    [Fact]
    public async Task Places_OfATenant_AreGivenBackBeforeItsClientKnows()
    {
        Apply(new LimitOptions { MaxConcurrent = 1 });

        for (var i = 0; i < 100; i++)
        {
            using var response = await AskAsync();
            Assert.True(response.StatusCode == HttpStatusCode.OK, $"request {i}: {response.StatusCode}");
            await response.Content.ReadAsStringAsync();
        }
    }

    [Fact]
    public async Task Places_ThatAreTaken_RefuseTheNextUntilOneEnds()
    {
        Apply(new LimitOptions { MaxConcurrent = 1 });
        var release = new TaskCompletionSource();
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(RawEngine.Frame("a"));
            await release.Task;
            await call.ChunkAsync(RawEngine.LastFrames());
            await call.EndStreamAsync();
        };

        using var open = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        using var refused = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        using var other = await _world.PostAsync(Chat, AskStream.Replace("demo", "alias", StringComparison.Ordinal), [("x-api-key", "key-b")]);
        release.SetResult();
        await open.Content.ReadAsStringAsync();
        using var next = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);

        await ErrorAnswer.AssertAsync(refused, 429, "concurrency_limit_exceeded");
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (other.StatusCode, next.StatusCode));
        await next.Content.ReadAsStringAsync();
        await other.Content.ReadAsStringAsync();
    }

    [Fact]
    public async Task Place_OfAStream_IsGivenBackWithItsLastEvent()
    {
        Apply(new LimitOptions { MaxConcurrent = 1 });
        var begun = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(RawEngine.Frame("a"));
            await begun.Task;
            await call.ChunkAsync(RawEngine.LastFrames());
            await release.Task;
            await call.EndStreamAsync();
        };

        // Clients stop reading at the sentinel.
        using var open = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        begun.SetResult();
        using var reader = new StreamReader(await open.Content.ReadAsStreamAsync());
        while (await reader.ReadLineAsync() is not "data: [DONE]")
        {
        }
        using var next = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        release.SetResult();

        Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        await next.Content.ReadAsStringAsync();
    }

    [Fact]
    public async Task Prompt_ThatOnlyAFallbackHolds_IsLimitedAndCharged()
    {
        var small = _world.Server.Core.Options.Models[0] with { ContextTokens = 50, Fallbacks = ["other"] };
        _world.Server.Apply(WithLimits(_world.Server.Core.Options with { Models = [small, small with { Name = "other", Aliases = [], ContextTokens = null, Fallbacks = [] }] }, new LimitOptions { RequestsPerMinute = 1 }));
        await Until.HoldsAsync(() => _world.Server.Core.Fleet.Pools.All(pool => pool.ReplicaList.All(replica => replica.Health == Gateway.Replicas.ReplicaHealth.Up)), "both models are up");
        var ask = Ask.Replace("hello", string.Join(' ', Enumerable.Repeat("many words", 400)), StringComparison.Ordinal);

        using var first = await _world.PostAsync(Chat, ask, [("x-api-key", "key-a")]);
        using var second = await _world.PostAsync(Chat, ask, [("x-api-key", "key-a")]);

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        await ErrorAnswer.AssertAsync(second, 429, "rate_limit_exceeded");
        await ChargedAsync(charged => charged == new TokenAmount(7, 3));
    }

    [Fact]
    public async Task Stream_WithUsage_IsChargedByIt()
    {
        const string Usage = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"demo\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4}}\n\n";
        _engine.Script = call => call.StreamAsync(Text("a"), Text("b"), Finish(), Usage, "data: [DONE]\n\n");

        using var response = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        await response.Content.ReadAsStringAsync();

        await ChargedAsync(charged => charged == new TokenAmount(11, 4));
    }

    [Fact]
    public async Task Stream_ThatIsCut_IsChargedByItsChunks()
    {
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            for (var i = 0; i < 6; i++)
            {
                await call.ChunkAsync(Text("x"));
            }
            call.Reset();
        };

        using var response = await _world.PostAsync(Chat, AskStream.Replace("\"stream\":true", "\"stream\":true,\"logprobs\":true", StringComparison.Ordinal), [("x-api-key", "key-a")]);
        await response.Content.ReadAsStringAsync();

        await ChargedAsync(charged => charged is { Input: > 0, Output: > 0 and <= 6 });
    }

    [Fact]
    public async Task Stream_WhoseClientLeaves_IsChargedAsFarAsItWent()
    {
        var gone = new TaskCompletionSource();
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(Text("one") + Text("two") + Text("three"));
            await call.ClientGoneAsync();
            gone.SetResult();
        };

        var response = await _world.PostAsync(Chat, AskStream, [("x-api-key", "key-a")]);
        response.Dispose();
        await gone.Task.ComesAsync("the engine sees that the client left");

        await ChargedAsync(charged => charged is { Input: > 0, Output: 3 });
    }

    [Fact]
    public async Task Answer_ThatNoEngineGave_IsNotCharged()
    {
        _engine.Script = call => call.JsonAsync("""{"error":{"message":"no"}}""", 400);

        using var response = await AskAsync();

        await ErrorAnswer.AssertAsync(response, 400, "invalid_request");
        Assert.Equal(TokenAmount.None, Account("a")!.Charged);
    }

    [Fact]
    public async Task CountTokens_OfATenant_CostsItNoTokens()
    {
        _engine.Script = call => call.JsonAsync("""{"input_tokens":900}""");

        using var response = await _world.PostAsync("/v1/messages/count_tokens", Ask, [("x-api-key", "key-a")]);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(TokenAmount.None, Account("a")!.Charged);
    }

    [Fact]
    public async Task Priority_AboveTheCeiling_IsLoweredAndCounted()
    {
        Apply(new LimitOptions { MaxPriority = PriorityClass.Batch });

        using var high = await _world.PostAsync(Chat, Ask, [("x-api-key", "key-a"), ("x-gateway-priority", "interactive")]);
        using var none = await AskAsync();
        using var wrong = await _world.PostAsync(Chat, Ask, [("x-api-key", "key-a"), ("x-gateway-priority", "foo")]);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (high.StatusCode, none.StatusCode));
        await ErrorAnswer.AssertAsync(wrong, 400, "invalid_header");
        var metrics = await _world.Client.GetStringAsync("/metrics");
        Assert.Contains("gateway_refusals_total{model=\"demo\",reason=\"priority_clamped\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("gateway_queue_wait_seconds_count{model=\"demo\",priority=\"batch\"} 2", metrics, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ServiceTier_AboveTheCeiling_IsLoweredAndCountedAsAHeaderIs()
    {
        const string Tiered = """{"service_tier":"priority","model":"demo","messages":[]}""";
        Apply(new LimitOptions { MaxPriority = PriorityClass.Default });

        using var high = await _world.PostAsync(Chat, Tiered, [("x-api-key", "key-a")]);
        using var header = await _world.PostAsync(Chat, Tiered, [("x-api-key", "key-a"), ("x-request-priority", "low")]);

        Assert.Equal([Tiered, Tiered], _engine.Calls.Select(call => call.BodyText));
        var metrics = await _world.Client.GetStringAsync("/metrics");
        Assert.Contains("gateway_refusals_total{model=\"demo\",reason=\"priority_clamped\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("gateway_queue_wait_seconds_count{model=\"demo\",priority=\"default\"} 1", metrics, StringComparison.Ordinal);
        Assert.Contains("gateway_queue_wait_seconds_count{model=\"demo\",priority=\"batch\"} 1", metrics, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("priority", null, "interactive")]
    [InlineData("flex", null, "batch")]
    [InlineData("auto", null, "default")]
    [InlineData("invented", null, "default")]
    [InlineData("priority", "default", "default")]
    [InlineData("flex", "7", "interactive")]
    [InlineData("flex", "", "batch")]
    public async Task ServiceTier_WhereNoHeaderNamesAClass_IsTheRequestsClass(string tier, string? header, string expected)
    {
        (string, string)[] headers = header is null ? [] : [("x-request-priority", header)];

        using var explained = await _world.PostAsync("/-/explain", $$"""{"model":"demo","messages":[],"service_tier":"{{tier}}"}""", headers);

        Assert.Contains($"\"priority\":\"{expected}\"", await explained.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Explain_ForATenant_TellsWhatItWouldGet()
    {
        Apply(new LimitOptions { MaxPriority = PriorityClass.Batch });

        using var clamped = await _world.PostAsync("/-/explain?tenant=a", Ask, [("x-gateway-priority", "interactive")]);
        using var anybody = await _world.PostAsync("/-/explain", Ask, [("x-gateway-priority", "interactive")]);
        using var forbidden = await _world.PostAsync("/-/explain?tenant=b", Ask);
        using var unknown = await _world.PostAsync("/-/explain?tenant=nobody", Ask);

        Assert.Contains("\"priority\":\"batch\"", await clamped.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Contains("\"priority\":\"interactive\"", await anybody.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await ErrorAnswer.AssertAsync(forbidden, 403, "model_not_allowed");
        await ErrorAnswer.AssertAsync(unknown, 404, "tenant_not_found");
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task Tenant_ShownByName_LabelsRequestsAndTokens()
    {
        _world.Server.Apply(_world.Server.Core.Options with { Telemetry = _world.Server.Core.Options.Telemetry with { Tenants = Gateway.Telemetry.TenantNaming.Name } });

        using var response = await AskAsync();
        await response.Content.ReadAsStringAsync();
        await _world.AtRestAsync();

        await Until.HoldsAsync(
            () => _world.Client.GetStringAsync("/metrics").Result.Contains("gateway_output_tokens_total{model=\"demo\",tenant=\"a\"} 3", StringComparison.Ordinal), "the tenant's tokens are counted");
    }

    [Fact]
    public async Task Access_ThatLeavesTheConfiguration_OpensTheGatewayAgain()
    {
        var before = _world.Server.Core.Options;
        _world.Server.Apply(before with { Access = null });
        using var open = await _world.PostAsync(Chat, Ask);
        _world.Server.Apply(before);
        using var closed = await _world.PostAsync(Chat, Ask);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (open.StatusCode, closed.StatusCode));
    }

    private static string Text(string text) => System.Text.Encoding.UTF8.GetString(RawEngine.Frame(text));

    private static string Finish() =>
        "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"model\":\"demo\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

    private static string Header(HttpResponseMessage response, string name) => response.Headers.GetValues(name).Single();

    private Task<HttpResponseMessage> AskAsync() => _world.PostAsync(Chat, Ask, [("x-api-key", "key-a")]);

    private async Task<HttpResponseMessage> GetAsync(string path, string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("x-api-key", key);
        return await _world.Client.SendAsync(request);
    }

    private TenantAccount? Account(string tenant) => _world.Server.Limits.Find(tenant);

    private Task ChargedAsync(Func<TokenAmount, bool> isExpected) =>
        Until.HoldsAsync(() => Account("a") is { } account && account.Running == 0 && isExpected(account.Charged), $"the tenant is charged");

    private void Apply(LimitOptions limits) => _world.Server.Apply(WithLimits(_world.Server.Core.Options, limits));

    private static GatewayOptions WithLimits(GatewayOptions options, LimitOptions limits) => options with
    {
        Access = new AccessOptions
        {
            Tenants = [new() { Name = "a", KeyEnv = ["A"], Limits = limits }, new() { Name = "b", KeyEnv = ["B"], Models = ["alias"] }],
        },
    };

    private Task<GatewayWorld> StartAsync(LimitOptions limits) => GatewayWorld.BeforeAsync(
        [_engine],
        options => WithLimits(GatewayWorld.WithModel(options, model => model with { Aliases = ["alias"] }), limits),
        new ServerSettings { Environment = name => $"key-{name.ToLowerInvariant()}" });
}
