using System.Text;
using Gateway.Access;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.EndToEnd;

/// <summary>What a caller's standing changes in what the engine gets, and that no key is left anywhere.</summary>
public sealed class TrustTests : IAsyncLifetime
{
    private const string Chat = "/v1/chat/completions";
    private const string Steering = """{"priority":-9,"model":"demo","messages":[],"temperature":0.10,"kv_transfer_params":{"do_remote_prefill":true},"rid":"x","keep_alive":0}""";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c"}"""));
    private readonly CapturedLogs _logs = new();
    private GatewayWorld? _world;

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        await _world!.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Fact]
    public async Task Body_OfAStranger_LosesWhatSteersTheEngineAndNothingElse()
    {
        await StartAsync(new AccessOptions());

        using var response = await AskAsync("key-a", Steering);

        Assert.Equal("""{"model":"demo","messages":[],"temperature":0.10}""", _engine.Calls[^1].BodyText);
        Assert.Equal([_engine.Calls[^1].Body.Length.ToString(System.Globalization.CultureInfo.InvariantCulture)], _engine.Calls[^1].Header("Content-Length"));
    }

    [Fact]
    public async Task Body_OfATrustedTenantOrAtAnOpenGateway_ArrivesAsSent()
    {
        await StartAsync(new AccessOptions());

        using var trusted = await AskAsync("key-t", Steering);
        _world!.Server.Apply(_world.Server.Core.Options with { Access = null });
        using var open = await AskAsync("whatever", Steering);

        Assert.All(_engine.Calls, call => Assert.Equal(Steering, call.BodyText));
        Assert.Equal(2, _engine.Calls.Count);
    }

    [Fact]
    public async Task Salt_OfATenant_IsItsOwnAndTheSameEachTime()
    {
        await StartAsync(new AccessOptions { CacheSalt = true, SecretEnv = "SECRET" });
        var body = """{"model":"demo","cache_salt":"of-b","messages":[]}""";

        using var first = await AskAsync("key-a", body);
        using var again = await AskAsync("key-a", """{"model":"demo","messages":[]}""");
        using var other = await AskAsync("key-b", body);
        using var trusted = await AskAsync("key-t", body);

        var salted = _engine.Calls.Select(call => call.BodyText).ToArray();
        Assert.Matches("""^{"cache_salt":"[0-9a-f]{32}","model":"demo","messages":\[\]}$""", salted[0]);
        Assert.Equal(salted[0], salted[1]);
        Assert.NotEqual(salted[0], salted[2]);
        Assert.Equal(body, salted[3]);
    }

    // The same prompt of two tenants: what one has warmed up draws nobody else, and a hit is not even shown.
    [Fact]
    public async Task Prefix_WithSalts_IsNoHitForAnotherTenant()
    {
        await StartAsync(new AccessOptions { CacheSalt = true });
        var body = Fixtures.Chat.Body(Fixtures.Chat.Words(600, 1), maxTokens: 5);

        var hits = new List<double>();
        foreach (var key in new[] { "key-a", "key-a", "key-b", "key-b" })
        {
            using var response = await AskAsync(key, body);
            await response.Content.ReadAsStringAsync();
            hits.Add(double.Parse(response.Headers.GetValues("x-gateway-prefix-hit-tokens").Single(), System.Globalization.CultureInfo.InvariantCulture));
        }

        Assert.Equal([false, true, false, true], hits.Select(hit => hit > 0));
    }

    [Theory]
    [InlineData("file:///etc/passwd")]
    [InlineData("http://169.254.169.254/latest")]
    public async Task Media_FromAroundTheEngines_IsRefusedForStrangersOnly(string address)
    {
        await StartAsync(new AccessOptions());
        var body = """{"model":"demo","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"ADDRESS"}}]}]}""".Replace("ADDRESS", address, StringComparison.Ordinal);

        using var stranger = await AskAsync("key-a", body);
        using var trusted = await AskAsync("key-t", body);

        await ErrorAnswer.AssertAsync(stranger, 403, "media_not_allowed");
        Assert.Equal(200, (int)trusted.StatusCode);
        Assert.Single(_engine.Calls);
    }

    [Fact]
    public async Task Keys_WhereverTheyAreSent_AreLeftNowhere()
    {
        var log = Path.GetTempFileName();
        await StartAsync(new AccessOptions { OpsKeyEnv = ["OPS"], ProtectMetrics = true }, log);
        string[] secrets = ["key-a", "key-t", "key-ops", "planted-wrong-key", "planted-client-word"];
        var seen = new StringBuilder();

        foreach (var key in secrets)
        {
            foreach (var body in new[] { Steering, "{", """{"model":"planted-wrong-key","messages":[]}""" })
            {
                using var response = await AskAsync(key, body);
                seen.Append(response.Headers).Append(await response.Content.ReadAsStringAsync());
            }
            using var ops = await _world!.PostAsync("/-/replicas/x/drain", "", [("Authorization", $"Bearer {key}")]);
            seen.Append(await ops.Content.ReadAsStringAsync());
        }
        foreach (var page in new[] { "/metrics", "/-/status", "/-/replicas" })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, page) { Headers = { { "api-key", "key-ops" } } };
            using var response = await _world!.Client.SendAsync(request);
            Assert.Equal(200, (int)response.StatusCode);
            seen.Append(await response.Content.ReadAsStringAsync());
        }
        await _world!.DisconnectAsync();
        seen.Append(await File.ReadAllTextAsync(log));
        seen.AppendJoin('\n', _logs.Lines.Select(line => line.Text + line.Exception));
        seen.AppendJoin('\n', _engine.Calls.SelectMany(call => call.Headers).Select(header => header.Value));
        File.Delete(log);

        // The model's name is the client's own text and is told back to the client alone.
        var text = seen.ToString().Replace("The model 'planted-wrong-key'", "", StringComparison.Ordinal);
        Assert.Contains("\"outcome\":\"success\"", text, StringComparison.Ordinal);
        Assert.All(secrets, secret => Assert.DoesNotContain(secret, text, StringComparison.Ordinal));
    }

    private Task<HttpResponseMessage> AskAsync(string key, string body) => PostAsync(key, body);

    // Without a charset, so that lengths are those of the text.
    private async Task<HttpResponseMessage> PostAsync(string key, string body) => await _world!.PostAsync(Chat, body, [("Authorization", $"Bearer {key}")]);

    private async Task StartAsync(AccessOptions access, string accessLog = "off") => _world = await GatewayWorld.BeforeAsync(
        [_engine],
        options => options with
        {
            Access = access with
            {
                Tenants = [new() { Name = "a", KeyEnv = ["A"] }, new() { Name = "b", KeyEnv = ["B"] }, new() { Name = "t", KeyEnv = ["T"], Trusted = true }],
            },
            Telemetry = options.Telemetry with { AccessLog = accessLog, LogLevel = LogLevel.Trace, Tenants = Gateway.Telemetry.TenantNaming.Hash },
        },
        new ServerSettings { Environment = name => $"key-{name.ToLowerInvariant()}", ConfigureLogging = logging => logging.AddProvider(_logs) });
}
