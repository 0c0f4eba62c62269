using System.Net;
using Gateway.Access;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A tenant's stored responses are its own, whatever another one calls them.</summary>
public sealed class TenantResponsesTests : IAsyncLifetime
{
    private const string Responses = "/v1/responses";
    private const string Stored = "/v1/responses/resp_1";
    private const string Next = """{"model":"demo","input":"y","previous_response_id":"resp_1"}""";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"resp_1","object":"response","status":"completed"}"""));
    private GatewayWorld _world = null!;

    public async Task InitializeAsync()
    {
        _world = await GatewayWorld.BeforeAsync(
            [_engine],
            options => options with { Access = new AccessOptions { Tenants = [new() { Name = "a", KeyEnv = ["A"] }, new() { Name = "b", KeyEnv = ["B"] }] } },
            new ServerSettings { Environment = name => $"key-{name.ToLowerInvariant()}" });
        using var made = await _world.PostAsync(Responses, """{"model":"demo","input":"x"}""", [("x-api-key", "key-a")]);
        Assert.Equal(HttpStatusCode.OK, made.StatusCode);
    }

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task Get_ByAnotherTenant_FindsNothing()
    {
        using var own = await GetAsync("key-a");
        using var others = await GetAsync("key-b");

        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
        await ErrorAnswer.AssertAsync(others, 404, "response_not_found");
    }

    [Fact]
    public async Task NextTurn_ByAnotherTenant_FindsNothing()
    {
        using var own = await _world.PostAsync(Responses, Next, [("x-api-key", "key-a")]);
        using var others = await _world.PostAsync(Responses, Next, [("x-api-key", "key-b")]);

        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
        await ErrorAnswer.AssertAsync(others, 404, "response_not_found");
        Assert.Equal(2, _engine.Calls.Count);
    }

    [Fact]
    public async Task NextTurn_AfterAReloadWithAnotherKey_IsTheSameTenants()
    {
        var before = _world.Server.Core.Options;
        _world.Server.Apply(before with
        {
            Access = new AccessOptions { Tenants = [new() { Name = "a", KeyEnv = ["A2"] }, new() { Name = "b", KeyEnv = ["B"] }] },
            Routing = before.Routing with { Prefix = before.Routing.Prefix with { BlockBytes = 512 } },
        });

        using var own = await _world.PostAsync(Responses, Next, [("x-api-key", "key-a2")]);
        using var others = await _world.PostAsync(Responses, Next, [("x-api-key", "key-b")]);

        Assert.Equal(HttpStatusCode.OK, own.StatusCode);
        await ErrorAnswer.AssertAsync(others, 404, "response_not_found");
    }

    [Theory]
    [InlineData("x-session-id", """{"model":"demo","messages":[]}""")]
    [InlineData("x-none", """{"model":"demo","messages":[],"prompt_cache_key":"resp_1"}""")]
    [InlineData("x-none", """{"model":"demo","messages":[],"user":"resp_1"}""")]
    public async Task Get_ByATenantWhoseSessionHasTheSameName_FindsNothing(string header, string ask)
    {
        using var session = await _world.PostAsync("/v1/chat/completions", ask, [("x-api-key", "key-b"), (header, "resp_1")]);

        using var others = await GetAsync("key-b");

        Assert.Equal(HttpStatusCode.OK, session.StatusCode);
        await ErrorAnswer.AssertAsync(others, 404, "response_not_found");
    }

    private async Task<HttpResponseMessage> GetAsync(string key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Stored);
        request.Headers.Add("x-api-key", key);
        return await _world.Client.SendAsync(request);
    }
}
