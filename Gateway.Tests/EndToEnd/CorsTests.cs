using System.Net;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

public sealed class CorsTests
{
    [Fact]
    public async Task Preflight_FromANamedOrigin_IsAnsweredByTheGateway()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var world = await WorldAsync(engine, "https://app.example");

        using var response = await world.Client.SendAsync(Preflight("https://app.example"));

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal("https://app.example", response.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal("POST", response.Headers.GetValues("Access-Control-Allow-Methods").Single());
        Assert.Equal("authorization, content-type", response.Headers.GetValues("Access-Control-Allow-Headers").Single());
        Assert.NotEmpty(response.Headers.GetValues("x-request-id").Single());
        Assert.Empty(engine.Calls);
    }

    [Fact]
    public async Task Answers_ToANamedOrigin_MayBeRead()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var world = await WorldAsync(engine, "https://app.example");

        using var good = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[]}""", [("Origin", "https://app.example")]);
        using var bad = await world.PostAsync("/v1/chat/completions", "{", [("Origin", "https://app.example")]);

        Assert.Equal("https://app.example", good.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.Equal("https://app.example", bad.Headers.GetValues("Access-Control-Allow-Origin").Single());
        var readable = string.Join(", ", good.Headers.GetValues("Access-Control-Expose-Headers"));
        Assert.All(good.Headers.Where(header => header.Key.StartsWith("x-", StringComparison.OrdinalIgnoreCase)), header => Assert.Contains(header.Key, readable, StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task OtherOrigins_AndAGatewayWithoutOrigins_GetNoCorsHeaders()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var world = await WorldAsync(engine, "https://app.example");
        await using var closed = await GatewayWorld.BeforeAsync([engine]);

        using var stranger = await world.Client.SendAsync(Preflight("https://evil.example"));
        using var none = await closed.Client.SendAsync(Preflight("https://app.example"));

        Assert.All([stranger, none], response =>
        {
            Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
            Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
        });
    }

    [Theory]
    [InlineData("https://app.example", "https://evil.example")]
    [InlineData(null, "https://app.example")]
    public async Task Answers_OfAnEngineThatAllowsEverybody_MayBeReadOnlyAsTheGatewayAllows(string? allowed, string origin)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}", headers: "access-control-allow-origin: *\r\naccess-control-allow-credentials: true\r\n"));
        await using var world = allowed is null ? await GatewayWorld.BeforeAsync([engine]) : await WorldAsync(engine, allowed);

        using var response = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[]}""", [("Origin", origin)]);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.DoesNotContain(response.Headers, header => header.Key.StartsWith("access-control-", StringComparison.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("https://app.example")]
    [InlineData("https://evil.example")]
    public async Task Answers_OfAnEngineThatVaries_VaryByTheOriginToo(string origin)
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}", headers: "vary: Accept-Language\r\n"));
        await using var world = await WorldAsync(engine, "https://app.example");

        using var response = await world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[]}""", [("Origin", origin)]);

        Assert.Equal("Accept-Language, Origin", string.Join(", ", response.Headers.Vary));
    }

    [Fact]
    public async Task Preflight_OfWhatNoOtherSiteMayDo_IsRefusedToEveryOrigin()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var world = await WorldAsync(engine, "*");

        using var response = await world.Client.SendAsync(Preflight("https://anyone.example", $"/-/replicas/{world.Pool.ReplicaList[0].Id}/drain"));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, response.StatusCode);
        Assert.False(response.Headers.Contains("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task AnyOrigin_WhereTheConfigurationSaysSo_IsAllowed()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var world = await WorldAsync(engine, "*");

        using var response = await world.Client.SendAsync(Preflight("https://anyone.example"));

        Assert.Equal("*", response.Headers.GetValues("Access-Control-Allow-Origin").Single());
    }

    private static Task<GatewayWorld> WorldAsync(ScriptedEngine engine, string origin) =>
        GatewayWorld.BeforeAsync([engine], options => options with { Listen = options.Listen with { CorsOrigins = [origin] } });

    private static HttpRequestMessage Preflight(string origin, string path = "/v1/chat/completions")
    {
        var request = new HttpRequestMessage(HttpMethod.Options, path);
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", "POST");
        request.Headers.Add("Access-Control-Request-Headers", "authorization, content-type");
        return request;
    }
}
