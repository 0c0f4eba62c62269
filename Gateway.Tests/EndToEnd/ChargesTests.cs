using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Forwarding;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>Tenants pay for what their clients got, in front of engines that count for themselves.</summary>
public sealed class ChargesTests(ITestOutputHelper output)
{
    private static readonly string[] Tenants = ["red", "green", "blue"];

    [Theory]
    [InlineData(5)]
    [InlineData(6)]
    public async Task Charges_OfManyRequestsAtOnce_AreTheUsageThatTheirClientsWereTold(int seed)
    {
        output.WriteLine($"seed {seed}");
        await using var world = await StartAsync(new LimitOptions { TokensPerMinute = 1_000_000_000, DailyTokens = 1_000_000_000 });
        var chance = new Random(seed);
        var plans = Enumerable.Range(0, 240).Select(i => (Tenant: Tenants[chance.Next(3)], Body: BodyOf(chance, i))).ToArray();
        var told = Tenants.ToDictionary(tenant => tenant, _ => (Input: 0L, Output: 0L));

        await Parallel.ForEachAsync(plans, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (plan, stop) =>
        {
            using var response = await world.PostAsync("/v1/chat/completions", plan.Body, [("x-api-key", plan.Tenant)], stop);
            var (input, answered) = UsageIn(await response.Content.ReadAsStringAsync(stop));
            lock (told)
            {
                told[plan.Tenant] = (told[plan.Tenant].Input + input, told[plan.Tenant].Output + answered);
            }
        });
        await world.AtRestAsync();

        await Until.HoldsAsync(() => Tenants.All(tenant => Account(world, tenant).Running == 0), "everybody has left");
        Assert.All(Tenants, tenant =>
        {
            var account = Account(world, tenant);
            Assert.Equal((0L, new TokenAmount(told[tenant].Input, told[tenant].Output)), (account.ReservedTokens, account.Charged));
            Assert.True(account.Charged is { Input: > 0, Output: > 0 });
        });
    }

    [Fact]
    public async Task Places_OfClientsThatLeaveAtRandom_AllComeBack()
    {
        const int Seed = 9;
        await using var world = await StartAsync(new LimitOptions { MaxConcurrent = 6 });
        var chance = new Random(Seed);
        var plans = Enumerable.Range(0, 200).Select(i => (Tenant: Tenants[chance.Next(3)], Body: BodyOf(chance, i), Lines: chance.Next(12))).ToArray();
        var refused = 0;

        await Parallel.ForEachAsync(plans, new ParallelOptions { MaxDegreeOfParallelism = 32 }, async (plan, stop) =>
        {
            // Some leave after a few lines, some before the first.
            using var response = await world.PostAsync("/v1/chat/completions", plan.Body, [("x-api-key", plan.Tenant)], stop);
            Assert.True((int)response.StatusCode is 200 or 429, $"seed {Seed}: {response.StatusCode}");
            Interlocked.Add(ref refused, response.IsSuccessStatusCode ? 0 : 1);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(stop));
            for (var i = 0; i < plan.Lines && await reader.ReadLineAsync(stop) is not null; i++)
            {
                Assert.All(Tenants, tenant => Assert.InRange(world.Server.Limits.Find(tenant)?.Running ?? 0, 0, 6));
            }
        });
        await world.AtRestAsync();

        await Until.HoldsAsync(() => Tenants.All(tenant => Account(world, tenant) is { Running: 0, ReservedTokens: 0 }), "every place and token is given back");
        Assert.InRange(refused, 1, 199);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Answer_ThatCannotBePassedOn_IsNotChargedButTheFallbackIs(bool hasFallback)
    {
        const string Stream = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\n"
            + "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":2}}\n\ndata: [DONE]\n\n";
        const string Plain = """{"id":"c","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3}}""";
        var (calls, heard) = (0, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var engine = new ScriptedEngine(
            async call =>
            {
                if (Interlocked.Increment(ref calls) > 1)
                {
                    await call.StreamAsync(Stream);
                    return;
                }
                // A stream was asked for, and its 200 is out: this is none.
                await heard.Task;
                await call.JsonAsync(Plain);
            },
            ["demo", "other"]);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Models = [options.Models[0] with { Fallbacks = hasFallback ? ["other"] : [] }, options.Models[0] with { Name = "other", Aliases = [] }],
            Resilience = options.Resilience with { Heartbeat = new HeartbeatOptions { Interval = TimeSpan.FromMilliseconds(20), CommitAfter = TimeSpan.FromMilliseconds(20) } },
            Access = AccessOf(new LimitOptions { MaxConcurrent = 1 }),
        });

        using var response = await world.PostAsync("/v1/chat/completions", Chat.Body("hello", isStreaming: true, more: ",\"stream_options\":{\"include_usage\":true}"), [("x-api-key", "red")])
            .ComesAsync("the headers");
        heard.SetResult();
        var received = await response.Content.ReadAsStringAsync().ComesAsync("the end");
        await world.AtRestAsync();

        Assert.Equal(hasFallback ? (2, true) : (1, false), (calls, received.Contains("[DONE]", StringComparison.Ordinal)));
        await Until.HoldsAsync(() => Account(world, "red").Running == 0, "the client has left");
        Assert.Equal(hasFallback ? new TokenAmount(11, 2) : TokenAmount.None, Account(world, "red").Charged);
    }

    [Fact]
    public async Task BackgroundResponse_ThatIsOnlyQueued_IsChargedAsExpected()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"id":"resp_1","object":"response","status":"queued","output":[],"usage":null}"""));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Access = AccessOf(new LimitOptions { OutputTokensPerMinute = 100 }) });
        const string Body = """{"model":"demo","input":"a long tale","background":true,"max_output_tokens":100}""";

        using var first = await world.PostAsync("/v1/responses", Body, [("x-api-key", "red")]);
        await world.AtRestAsync();
        await Until.HoldsAsync(() => Account(world, "red").Running == 0, "the client has left");

        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.InRange(Account(world, "red").Charged.Output, 1, 100);
        Assert.Equal(0, await world.Client.MetricAsync("gateway_estimate_error_tokens_count", "model=\"demo\""));
    }

    private static string BodyOf(Random chance, int number)
    {
        var isStreaming = chance.Next(2) == 0;
        return Chat.Body(Chat.Words(chance.Next(5, 200), number), chance.Next(1, 60), isStreaming, isStreaming ? ",\"stream_options\":{\"include_usage\":true}" : "");
    }

    // The one usage in a plain answer, or in the last events of a stream.
    private static (long Input, long Output) UsageIn(string answer)
    {
        var json = answer.StartsWith('{')
            ? answer
            : answer.Split('\n').Single(line => line.StartsWith("data: {", StringComparison.Ordinal) && line.Contains("\"usage\":{", StringComparison.Ordinal))[6..];
        using var document = JsonDocument.Parse(json);
        var usage = document.RootElement.GetProperty("usage");
        return (usage.GetProperty("prompt_tokens").GetInt64(), usage.GetProperty("completion_tokens").GetInt64());
    }

    private static TenantAccount Account(GatewayWorld world, string tenant) => world.Server.Limits.Find(tenant)!;

    private static Task<GatewayWorld> StartAsync(LimitOptions limits) => GatewayWorld.StartAsync(configure: options => options with
    {
        Access = AccessOf(limits),
    });

    private static AccessOptions AccessOf(LimitOptions limits) =>
        new() { Defaults = limits, Tenants = [.. Tenants.Select(name => new TenantOptions { Name = name, Keys = [HashOf(name)] })] };

    private static string HashOf(string key) => KeyDigest.Prefix + Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));
}
