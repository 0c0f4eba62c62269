using System.Text;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A stream whose engine dies or falls silent goes on elsewhere as if nothing had happened.</summary>
public sealed class ContinuationTests
{
    private const string Metric = "gateway_streams_continued_total";
    private const int Tokens = 12;

    public static TheoryData<string> Bodies => new()
    {
        Ask("chat", "\"stream_options\":{\"include_usage\":true}"),
        Ask("chat", "\"stream_options\":{\"include_usage\":true,\"continuous_usage_stats\":true},\"max_tokens\":10,\"min_tokens\":2"),
        Ask("chat", "\"max_completion_tokens\":200"),
        Ask("text", "\"stream_options\":{\"include_usage\":true},\"max_tokens\":10"),
        Ask("text", "\"max_tokens\":500"),
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Stream_CutAfterAnyToken_IsTheUncutOne(string body)
    {
        await using var world = await GatewayWorld.StartAsync(configure: options => options with { Resilience = options.Resilience with { FailuresToOpen = 10_000 } });
        var uncut = await StreamedAnswer.AskAsync(world, body);

        // Before the first token nothing was sent, and the request is simply tried again.
        for (var cut = 1; cut < 10; cut++)
        {
            var broken = await BreakOneAsync(world, body, new EngineFaults { DieAfterTokens = cut });

            Assert.Equal(uncut.Essence, broken.Essence);
            Assert.Single(broken.Heads);
        }
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatFallsSilent_IsTheUncutOne()
    {
        await using var world = await GatewayWorld.StartAsync(
            configure: options => options with { Resilience = options.Resilience with { StreamIdleTimeout = TimeSpan.FromMilliseconds(250) } });
        var body = Ask("chat", "\"stream_options\":{\"include_usage\":true}");
        var uncut = await StreamedAnswer.AskAsync(world, body);

        var broken = await BreakOneAsync(world, body, new EngineFaults { StallAfterTokens = 5 });

        Assert.Equal(uncut.Essence, broken.Essence);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task OnlyReplica_BackAfterItDied_GoesOnWithItsOwnStream()
    {
        await using var world = await GatewayWorld.StartAsync(engines: 1, configure: options => options with { Resilience = options.Resilience with { FailuresToOpen = 1, OpenDuration = TimeSpan.FromMilliseconds(200) } });
        var body = Ask("chat", "\"stream_options\":{\"include_usage\":true}");
        var uncut = await StreamedAnswer.AskAsync(world, body);
        world.Engines[0].Faults = new EngineFaults { DieAfterTokens = 4 };

        var broken = await StreamedAnswer.AskAsync(world, body);

        // It dies after every four tokens, and twelve need two continuations.
        Assert.Equal(uncut.Essence, broken.Essence);
        Assert.True(await world.Client.MetricAsync(Metric, "continued") >= 2);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData("\"n\":2")]
    [InlineData("\"logprobs\":true")]
    [InlineData("\"response_format\":{\"type\":\"json_object\"}")]
    [InlineData("\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]")]
    [InlineData("\"continue_final_message\":false")]
    [InlineData("\"max_tokens\":3")]
    public async Task Stream_ThatMayNotBeContinued_EndsWithAnError(string more)
    {
        await using var world = await GatewayWorld.StartAsync(engine: (options, _) => options with { Faults = new EngineFaults { DieAfterTokens = 3 } });

        var answer = await StreamedAnswer.AskAsync(world, Ask("chat", more));

        Assert.Equal("error", answer.Finish);
        await world.AtRestAsync();
        await Until.HoldsAsync(async () => await world.Client.MetricAsync(Metric) > 0, "the break is counted");
        Assert.Equal(1, await world.Client.MetricAsync(Metric, "not_allowed"));
    }

    // llama.cpp sends a comment every half minute of a long prefill.
    [Fact]
    public async Task Stream_ThatBreaksBehindAComment_BeginsAnewOnAnyEngine()
    {
        var calls = 0;
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task AnswerAsync(ScriptedCall call) => call.Method == "GET" ? call.JsonAsync("{}", 404) : Interlocked.Increment(ref calls) == 1 ? BreakAsync(call) : call.StreamAsync(
            Encoding.UTF8.GetString(RawEngine.Frame("a")), Encoding.UTF8.GetString(RawEngine.LastFrames()));
        await using var one = new ScriptedEngine(AnswerAsync);
        await using var other = new ScriptedEngine(AnswerAsync);
        await using var world = await GatewayWorld.BeforeAsync([one, other], options => GatewayWorld.WithModel(options, model => model with { Engine = EngineKind.LlamaCpp }));

        using var response = await world.PostAsync("/v1/chat/completions", Ask("chat", ""));
        heard.SetResult();

        Assert.Equal(": ping\n\n" + Encoding.UTF8.GetString([.. RawEngine.Frame("a"), .. RawEngine.LastFrames()]), await response.Content.ReadAsStringAsync());
        Assert.Equal(2, calls);
        await world.AtRestAsync();

        async Task BreakAsync(ScriptedCall call)
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(": ping\n\n");
            await heard.Task;
            call.Reset();
        }
    }

    [Fact]
    public async Task ContinueStreams_Off_EndsWithAnError()
    {
        await using var world = await GatewayWorld.StartAsync(
            engine: (options, _) => options with { Faults = new EngineFaults { DieAfterTokens = 3 } },
            configure: options => options with { Resilience = options.Resilience with { ContinueStreams = false } });

        Assert.Equal("error", (await StreamedAnswer.AskAsync(world, Ask("chat", ""))).Finish);
        Assert.Equal(0, await world.Client.MetricAsync(Metric));
    }

    // Requests until one of them met the engine that misbehaves.
    private static async Task<StreamedAnswer> BreakOneAsync(GatewayWorld world, string body, EngineFaults faults)
    {
        var before = await world.Client.MetricAsync(Metric, "continued");
        for (var i = 0; i < 64; i++)
        {
            // One of two, by turns: affinity may send all of them to one.
            (world.Engines[i % 2].Faults, world.Engines[(i + 1) % 2].Faults) = (faults, EngineFaults.None);
            var answer = await StreamedAnswer.AskAsync(world, body);
            if (await world.Client.MetricAsync(Metric, "continued") > before)
            {
                world.Engines[i % 2].Faults = EngineFaults.None;
                return answer;
            }
        }
        throw new InvalidOperationException("No stream was continued.");
    }

    private static string Ask(string kind, string more)
    {
        var prompt = $"Grüße, answer with {Tokens} tokens";
        var tail = more.Length > 0 ? "," + more : "";
        return kind == "chat"
            ? $$"""{"model":"demo","messages":[{"role":"user","content":"{{prompt}}"}],"stream":true{{tail}}}"""
            : $$"""{"model":"demo","prompt":"{{prompt}}","stream":true{{tail}}}""";
    }
}
