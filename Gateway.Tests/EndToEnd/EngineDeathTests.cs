using System.Text.Json;
using Gateway.Configuration;
using Gateway.Forwarding;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.EndToEnd;

/// <summary>An engine dies under its streams: who goes on without a retry's budget, who has to pay, and who is named as the culprit.</summary>
public sealed class EngineDeathTests
{
    private const string Continued = "gateway_streams_continued_total";
    private const string Event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"demo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

    private static readonly ResilienceOptions NoBudget = new()
    {
        FailuresToOpen = 10_000,
        RetryBudgetPerSecond = 0,
        RetryBudgetShare = 0,
        Health = new() { Interval = TimeSpan.FromHours(1) },
    };

    [Fact]
    public async Task Streams_OfAnEngineThatDies_GoOnWithoutABudget()
    {
        await using var world = await GatewayWorld.StartAsync(
            engine: (options, i) => i == 0 ? options with { Faults = new EngineFaults { DieAfterTokens = 5 } } : options, configure: WithoutBudget);

        var answers = await Task.WhenAll(Enumerable.Range(0, 24).Select(i => StreamedAnswer.AskAsync(world, Ask($"{i}, answer with 12 tokens"))));

        Assert.All(answers, answer => Assert.Equal("stop", answer.Finish));
        Assert.InRange(world.Engines[0].Journal.Started, 2, 24);
        Assert.Equal(world.Engines[0].Journal.Started, await world.Client.MetricAsync(Continued, "continued"));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatBreaksTwice_PaysForTheSecondTime()
    {
        using var logs = new CapturedLogs();
        await using var world = await GatewayWorld.StartAsync(
            engine: (options, _) => options with { Faults = new EngineFaults { DieAfterTokens = 4 } }, configure: WithoutBudget,
            settings: new ServerSettings { ConfigureLogging = logging => logging.AddProvider(logs) });

        for (var i = 0; i < 2; i++)
        {
            Assert.Equal("error", (await StreamedAnswer.AskAsync(world, Ask("answer with 12 tokens"))).Finish);
        }

        Assert.Equal((2, 2), (await world.Client.MetricAsync(Continued, "\"continued\""), await world.Client.MetricAsync(Continued, "no_budget")));
        var warning = Assert.Single(logs.Lines, line => line.Text.Contains("resilience.retryBudgetPerSecond", StringComparison.Ordinal));
        Assert.Equal(LogLevel.Warning, warning.Level);
    }

    [Fact]
    public async Task Stream_ThatNobodyGoesOnWith_IsLoggedWhereItBroke()
    {
        var calls = 0;
        Task ScriptAsync(ScriptedCall call) => Interlocked.Increment(ref calls) == 1 ? BreakAsync(call) : call.JsonAsync("{}", 500);
        await using var first = new ScriptedEngine(ScriptAsync);
        await using var second = new ScriptedEngine(ScriptAsync);

        var (line, replica, page) = await LoggedAsync([first, second]);

        Assert.Equal((replica, "upstream_stream_broken"), (line.GetProperty("replica").GetString(), line.GetProperty("code").GetString()));
        Assert.False(line.TryGetProperty("continuations", out _));
        var broken = Assert.Single(page.Split('\n'), each => each.StartsWith("gen_ai_client_operation_duration_seconds_count{error_type=\"_OTHER\"", StringComparison.Ordinal));
        Assert.EndsWith($"server_port=\"{replica.Split(':')[^1]}\"}} 1", broken, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_ThatAnotherWentOnWith_IsLoggedWithBoth()
    {
        var calls = 0;
        Task ScriptAsync(ScriptedCall call) => Interlocked.Increment(ref calls) == 1 ? BreakAsync(call)
            : call.StreamAsync(Event.Replace("\"a\"}", "\"b\"},\"finish_reason\":\"stop\"", StringComparison.Ordinal), "data: [DONE]\n\n");
        await using var first = new ScriptedEngine(ScriptAsync);
        await using var second = new ScriptedEngine(ScriptAsync);

        var (line, replica, _) = await LoggedAsync([first, second]);

        Assert.Equal(("success", 1), (line.GetProperty("outcome").GetString(), line.GetProperty("continuations").GetInt32()));
        Assert.Equal(replica, line.GetProperty("continued_from").GetString());
        Assert.NotEqual(replica, line.GetProperty("replica").GetString());
    }

    [Fact]
    public async Task Request_WhoseConnectionIsRefused_IsTriedElsewhereWithoutABudget()
    {
        await using var dead = new ScriptedEngine(call => call.StreamAsync());
        await using var alive = new ScriptedEngine(call => call.JsonAsync("""{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"""));
        await using var world = await GatewayWorld.BeforeAsync([dead, alive], WithoutBudget);
        dead.Close();

        for (var i = 0; i < 8; i++)
        {
            Assert.Equal(200, (await world.AskAsync(Chat.Body($"{i}"))).Status);
        }

        Assert.True(await world.Client.MetricAsync("gateway_retries_total", "unreachable") > 0);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Requests_OfAnEngineThatDiesBeforeItsFirstByte_AreTriedElsewhereWithoutABudget(bool isStreaming)
    {
        var death = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var dying = new ScriptedEngine(async call =>
        {
            await death.Task;
            call.Reset();
        });
        await using var alive = new ScriptedEngine(call => isStreaming
            ? call.StreamAsync(Event.Replace("\"a\"}", "\"a\"},\"finish_reason\":\"stop\"", StringComparison.Ordinal), "data: [DONE]\n\n")
            : call.JsonAsync("""{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}]}"""));
        await using var world = await GatewayWorld.BeforeAsync([dying, alive], WithoutBudget);

        var asking = Enumerable.Range(0, 24).Select(i => world.PostAsync("/v1/chat/completions", Chat.Body($"{i}", isStreaming: isStreaming))).ToArray();
        await Until.HoldsAsync(() => dying.Calls.Count + asking.Count(each => each.IsCompleted) == asking.Length, "all are answered, or at the engine that dies");
        death.SetResult();
        var answers = await Task.WhenAll(asking).ComesAsync("the answers");

        Assert.InRange(dying.Calls.Count, 2, 24);
        Assert.All(answers, answer => Assert.Equal(200, (int)answer.StatusCode));
        Assert.Equal(dying.Calls.Count, await world.Client.MetricAsync("gateway_retries_total", "unreachable"));
        await world.AtRestAsync();
    }

    // A request under which engines die, and an outage of all, must not grow into a storm.
    [Fact]
    public async Task Request_UnderWhichASecondEngineDies_PaysForTheThird()
    {
        static Task DieAsync(ScriptedCall call)
        {
            call.Reset();
            return Task.CompletedTask;
        }
        await using var first = new ScriptedEngine(DieAsync);
        await using var second = new ScriptedEngine(DieAsync);
        await using var third = new ScriptedEngine(DieAsync);
        await using var world = await GatewayWorld.BeforeAsync([first, second, third], WithoutBudget);

        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(502, (await world.AskAsync(Chat.Body($"{i}"))).Status);
        }

        Assert.Equal(4, await world.Client.MetricAsync("gateway_retries_total"));
        Assert.Equal(8, first.Calls.Count + second.Calls.Count + third.Calls.Count);
    }

    [Fact]
    public async Task Request_WhoseConnectionIsRefusedEverywhere_IsNotTriedAgain()
    {
        await using var dead = new ScriptedEngine(call => call.StreamAsync());
        await using var world = await GatewayWorld.BeforeAsync([dead], WithoutBudget);
        dead.Close();

        Assert.Equal(502, (await world.AskAsync(Chat.Body("hello"))).Status);
        Assert.Equal(0, await world.Client.MetricAsync("gateway_retries_total"));
    }

    [Fact]
    public async Task Stream_CutByTheGatewaysStop_IsNoFaultOfItsReplica()
    {
        var log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(Event);
            await call.ClientGoneAsync();
        });
        try
        {
            await using (var world = await GatewayWorld.BeforeAsync(
                [engine], options => options with { Listen = options.Listen with { DrainTimeout = TimeSpan.FromMilliseconds(100) }, Telemetry = options.Telemetry with { AccessLog = log } }))
            {
                using var response = await world.PostAsync("/v1/chat/completions", Ask("hello"));
                var stopped = world.Server.StopAsync(CancellationToken.None);
                Assert.Contains("shutting_down", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
                await stopped;
            }
            using var line = JsonDocument.Parse((await File.ReadAllLinesAsync(log)).Single());
            Assert.Equal(("failed", "shutting_down"), (line.RootElement.GetProperty("outcome").GetString(), line.RootElement.GetProperty("code").GetString()));
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static async Task<(JsonElement Line, string Replica, string Metrics)> LoggedAsync(ScriptedEngine[] engines)
    {
        var log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            string replica, metrics;
            await using (var world = await GatewayWorld.BeforeAsync(engines, options => WithoutBudget(options) with { Telemetry = options.Telemetry with { AccessLog = log } }))
            {
                using var response = await world.PostAsync("/v1/chat/completions", Ask("hello"));
                await response.Content.ReadAsStringAsync();
                replica = response.Headers.GetValues("x-gateway-replica").Single();
                await world.AtRestAsync();
                // The client has the end of its answer before the request is counted.
                do
                {
                    metrics = await world.Client.GetStringAsync("/metrics");
                }
                while (!metrics.Contains("gen_ai_client_operation_duration_seconds_count{", StringComparison.Ordinal));
            }
            using var line = JsonDocument.Parse((await File.ReadAllLinesAsync(log)).Single());
            return (line.RootElement.Clone(), replica, metrics);
        }
        finally
        {
            File.Delete(log);
        }
    }

    private static async Task BreakAsync(ScriptedCall call)
    {
        await call.BeginStreamAsync();
        await call.ChunkAsync(Event);
        call.Reset();
    }

    private static GatewayOptions WithoutBudget(GatewayOptions options) => options with { Resilience = NoBudget };

    private static string Ask(string prompt) => Chat.Body(prompt, isStreaming: true);
}
