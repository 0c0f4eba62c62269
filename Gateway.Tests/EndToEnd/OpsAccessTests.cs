using System.Net;
using Gateway.Configuration;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Who may operate the gateway: keys for it, or an address of its own.</summary>
public sealed class OpsAccessTests : IAsyncLifetime
{
    private static readonly string[] Probes = ["/livez", "/readyz", "/health", "/ping", "/version"];
    private static readonly string[] Pages = ["/-/status", "/-/replicas", "/metrics"];

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c"}"""));
    private GatewayWorld? _world;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _world!.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task Ops_WithKeys_AskForOneAndProbesDoNot()
    {
        await StartAsync(options => options with { Access = new() { OpsKeyEnv = ["OPS"], Tenants = [new() { Name = "a", KeyEnv = ["A"] }] } });

        Assert.All(await StatusesAsync(_world!.Server.Urls[0], Probes.Append("/metrics")), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.All(await StatusesAsync(_world.Server.Urls[0], ["/-/status", "/-/replicas"]), status => Assert.Equal(HttpStatusCode.Unauthorized, status));
        Assert.All(await StatusesAsync(_world.Server.Urls[0], ["/-/status", "/-/replicas"], "key-a"), status => Assert.Equal(HttpStatusCode.Unauthorized, status));
        Assert.All(await StatusesAsync(_world.Server.Urls[0], Pages, "key-ops"), status => Assert.Equal(HttpStatusCode.OK, status));
        using var stranger = await _world.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "");
        await ErrorAnswer.AssertAsync(stranger, 401, "invalid_api_key");
        using var operatorsOwn = await _world.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "", [("Authorization", "Bearer key-ops")]);
        Assert.Equal(HttpStatusCode.OK, operatorsOwn.StatusCode);
        using var data = await _world.PostAsync("/v1/chat/completions", """{"model":"demo"}""", [("Authorization", "Bearer key-ops")]);
        await ErrorAnswer.AssertAsync(data, 401, "invalid_api_key");
    }

    [Fact]
    public async Task Ops_AskedByStrangers_AreCountedByStatusAndReason()
    {
        await StartAsync(options => options with { Access = new() { OpsKeyEnv = ["OPS"], Tenants = [new() { Name = "a", KeyEnv = ["A"] }] } });

        await StatusesAsync(_world!.Server.Urls[0], ["/-/status", "/-/replicas", "/v1/models"]);
        await StatusesAsync(_world.Server.Urls[0], ["/-/status"], "key-ops");
        using var foreign = await _world.PostAsync(
            $"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "", [("Authorization", "Bearer key-ops"), ("Sec-Fetch-Site", "cross-site")]);

        await ErrorAnswer.AssertAsync(foreign, 403, "cross_site");
        await Until.HoldsAsync(() => Requests("route=\"ops\"").Result == 3, "three are counted");
        Assert.Equal((2, 1), (await Requests("code=\"401\",model=\"unknown\",route=\"ops\""), await Requests("code=\"403\",model=\"unknown\",route=\"ops\"")));
        Assert.Equal(1, await Requests("code=\"401\",model=\"unknown\",route=\"/v1/models\""));
        Assert.Equal(3, await _world.Client.MetricAsync("gateway_refusals_total", "reason=\"invalid_api_key\""));
        Assert.Equal(1, await _world.Client.MetricAsync("gateway_refusals_total", "reason=\"cross_site\""));
    }

    // Browsers say which site a request comes from only to https and to this machine, but always say its origin where it changes something.
    [Theory]
    [InlineData("http://other.example", null, 403)]
    [InlineData("null", null, 403)]
    [InlineData("http://OPS.example", null, 200)]
    [InlineData("http://ops.example:8080", null, 403)]
    [InlineData("http://gateway.example", "gateway.example", 200)]
    [InlineData("http://other.example", "gateway.example", 403)]
    [InlineData(null, null, 200)]
    public async Task Drain_WithoutAWordOfTheSite_GoesByTheOrigin(string? origin, string? forwardedHost, int status)
    {
        await StartAsync(options => options);
        List<(string, string)> headers = [("Host", "ops.example")];
        headers.AddRange(origin is null ? [] : [("Origin", origin)]);
        headers.AddRange(forwardedHost is null ? [] : [("X-Forwarded-Host", forwardedHost)]);

        using var answer = await _world!.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "", headers);

        Assert.Equal(status, (int)answer.StatusCode);
    }

    private Task<double> Requests(string labels) => _world!.Client.MetricAsync("gateway_requests_total", labels);

    [Fact]
    public async Task Ops_WithAnAddressOfTheirOwn_AreNowhereElse()
    {
        await StartAsync(options => options with { Listen = options.Listen with { Ops = "http://127.0.0.1:0" } });
        var (data, ops) = (_world!.Server.Urls[0], _world.Server.Urls[1]);

        Assert.All(await StatusesAsync(data, Probes), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.All(await StatusesAsync(ops, Probes.Concat(Pages)), status => Assert.Equal(HttpStatusCode.OK, status));
        Assert.All(await StatusesAsync(data, Pages), status => Assert.Equal(HttpStatusCode.NotFound, status));
        Assert.All(await StatusesAsync(ops, ["/v1/models", "/v1/models/demo", "/v1/chat/completions"]), status => Assert.Equal(HttpStatusCode.NotFound, status));
        using var hidden = await _world.PostAsync($"/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "");
        await ErrorAnswer.AssertAsync(hidden, 404, "unknown_url");
        using var drained = await _world.PostAsync($"{ops}/-/replicas/{_world.Pool.ReplicaList[0].Id}/drain", "");
        Assert.Equal(HttpStatusCode.OK, drained.StatusCode);
    }

    private async Task<HttpStatusCode[]> StatusesAsync(string url, IEnumerable<string> paths, string? key = null)
    {
        var statuses = new List<HttpStatusCode>();
        foreach (var path in paths)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, url + path);
            if (key is not null)
            {
                request.Headers.Add("x-api-key", key);
            }
            using var response = await _world!.Client.SendAsync(request);
            statuses.Add(response.StatusCode);
        }
        return [.. statuses];
    }

    private async Task StartAsync(Func<GatewayOptions, GatewayOptions> configure) => _world = await GatewayWorld.BeforeAsync(
        [_engine], configure, new ServerSettings { Environment = name => $"key-{name.ToLowerInvariant()}" });
}
