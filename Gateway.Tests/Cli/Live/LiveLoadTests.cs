using System.Text.Json;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Requests;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Cli.Live;

public sealed class LiveLoadTests
{
    private static readonly SimulatedEngineOptions Fast = new() { Speed = 50, Seed = 1, RecordedRequests = 1_000 };

    [Fact]
    public async Task Run_OfAGeneratedWorkload_EndsEveryRequestWithTheLengthsAskedFor()
    {
        await using var engine = await SimulatedEngine.StartAsync(Fast, default);
        using var load = new TestedLoad(engine.Uri);
        var trace = TraceSource.Open("w1:rate=100", new TraceSettings { Seed = 1, Limit = 100 });
        var rows = trace.Read().ToArray();

        var figures = await load.RunAsync(trace).ComesAsync("the load's end");

        Assert.Equal(100, load.Results.Count);
        Assert.All(load.Results, result => Assert.Equal(ReplayOutcome.Completed, result.Outcome));
        Assert.Equal((100, 100), (figures.Sent, engine.Journal.Finished));
        Assert.Empty(figures.Failures);
        Assert.Equal(rows.Select(row => Math.Max(1, row.OutputTokens)).Order(), load.Results.Select(result => result.OutputTokens).Order());
        // The chat template adds the same few tokens to each.
        var template = load.Results.Min(result => result.InputTokens) - rows.Min(row => row.InputTokens);
        Assert.InRange(template, 1, 8);
        Assert.Equal(rows.Select(row => row.InputTokens + template).Order(), load.Results.Select(result => result.InputTokens).Order());
        Assert.All(load.Results, result => Assert.True(result.TimeToFirstToken > TimeSpan.Zero && result.EndToEnd >= result.TimeToFirstToken));
    }

    [Fact]
    public async Task Run_AfterAWarmUp_SendsPromptsThatAreAsLongAsTheirRowsWithTheEndpointsTemplate()
    {
        await using var engine = await SimulatedEngine.StartAsync(Fast, default);
        using var load = new TestedLoad(engine.Uri);

        await load.WarmUpAsync();
        await load.RunAsync(new GivenTrace(GivenTrace.Row(input: 20), GivenTrace.Row(input: 300), GivenTrace.Row(input: 1))).ComesAsync("the load's end");

        // A template alone is longer than one token.
        Assert.Equal([6, 20, 300], load.Results.Select(result => result.InputTokens).Order());
    }

    [Fact]
    public async Task WarmUp_OfAnEndpointThatFails_LeavesPromptsAsTheyAre()
    {
        await using var engine = await SimulatedEngine.StartAsync(Fast with { Faults = new EngineFaults { FailRate = 1 } }, default);
        using var load = new TestedLoad(engine.Uri);

        await load.WarmUpAsync();
        await load.RunAsync(new GivenTrace(GivenTrace.Row(input: 20))).ComesAsync("the load's end");

        Assert.Equal(20, Assert.Single(load.Results).InputTokens);
    }

    [Fact]
    public async Task Run_OfRowsWithEqualBlocks_MeetsTheEnginesCache()
    {
        await using var engine = await SimulatedEngine.StartAsync(Fast, default);
        using var load = new TestedLoad(engine.Uri);
        var row = GivenTrace.Row(session: "s") with { InputTokens = 200, Blocks = new ulong[] { 1, 2, 3 }, BlockTokens = 64 };

        await load.RunAsync(new GivenTrace(row, row, GivenTrace.Row(session: "s", input: 200))).ComesAsync("the load's end");

        Assert.Equal(0, load.Results[0].CachedTokens);
        Assert.InRange(load.Results[1].CachedTokens, 176, 192 + 16);
        Assert.Equal(0, load.Results[2].CachedTokens);
    }

    [Fact]
    public async Task Run_OfSessions_StartsATurnAfterTheLastAnswerAndItsPause()
    {
        await using var engine = await SimulatedEngine.StartAsync(Fast with { Speed = 5 }, default);
        using var load = new TestedLoad(engine.Uri);
        var pause = TimeSpan.FromMilliseconds(30);
        var rows = Enumerable.Range(0, 12).Select(i => GivenTrace.Row(session: $"s{i % 3}", output: 10) with { Think = i < 3 ? null : pause }).ToArray();

        var figures = await load.RunAsync(new GivenTrace(rows)).ComesAsync("the load's end");

        foreach (var session in load.Results.GroupBy(result => result.ClientId))
        {
            var turns = session.OrderBy(turn => turn.Arrival).ToArray();
            Assert.Equal(4, turns.Length);
            Assert.All(turns.Zip(turns.Skip(1)), pair => Assert.True(pair.Second.Arrival >= pair.First.Arrival + pair.First.EndToEnd + pause));
        }
        Assert.Equal(3, figures.MostOpen);
    }

    [Fact]
    public async Task Run_WhileNothingIsAnswered_StillSendsEveryRowAtItsTime()
    {
        var all = new TaskCompletionSource();
        ScriptedEngine engine = null!;
        await using var disposed = engine = new ScriptedEngine(async call =>
        {
            if (engine.Calls.Count == 20)
            {
                all.TrySetResult();
            }
            await all.Task;
            await AnswerAsync(call);
        });
        using var load = new TestedLoad(engine.Uri);

        var figures = await load.RunAsync(new GivenTrace([.. Enumerable.Range(0, 20).Select(i => GivenTrace.Row(0.002 * i))])).ComesAsync("the load's end");

        Assert.Equal((20, 20), (figures.MostOpen, load.Results.Count(result => result.Outcome == ReplayOutcome.Completed)));
        Assert.True(figures.Lateness.Count == 20 && figures.Lateness.Max < 20);
    }

    [Fact]
    public async Task Run_PastTheCap_CountsWhatItDidNotSend()
    {
        var answer = new TaskCompletionSource();
        await using var engine = new ScriptedEngine(async call =>
        {
            await answer.Task;
            await AnswerAsync(call);
        });
        using var load = new TestedLoad(engine.Uri, mostOpen: 3);

        var run = load.RunAsync(new GivenTrace([.. Enumerable.Range(0, 5).Select(_ => GivenTrace.Row())]));
        await Until.HoldsAsync(() => load.Results.Count == 2, "two were not sent");
        answer.SetResult();
        var figures = await run.ComesAsync("the load's end");

        Assert.Equal([new NamedCount("not sent: too many open requests", 2)], figures.Failures);
        Assert.Equal((3, 3, 3), (figures.Sent, figures.MostOpen, engine.Calls.Count));
    }

    [Fact]
    public async Task Run_Cancelled_GivesUpWhatIsOpenAndTellsTheRest()
    {
        var calls = 0;
        await using var engine = new ScriptedEngine(async call =>
        {
            if (Interlocked.Increment(ref calls) == 1)
            {
                await AnswerAsync(call);
                return;
            }
            await call.ReadBodyAsync();
            await call.ClientGoneAsync();
        });
        using var load = new TestedLoad(engine.Uri);
        using var stop = new CancellationTokenSource();

        var run = load.RunAsync(new GivenTrace(GivenTrace.Row(), GivenTrace.Row(), GivenTrace.Row(), GivenTrace.Row(3_600)), stop.Token);
        await Until.HoldsAsync(() => load.Results.Count == 1 && engine.Calls.Count == 3, "one is answered and two are open");
        await stop.CancelAsync();
        var figures = await run.ComesAsync("the load's end");

        Assert.Equal((3, 2), (figures.Sent, figures.GivenUp));
        Assert.Empty(figures.Failures);
        Assert.Single(load.Results);
    }

    [Fact]
    public async Task Run_OfFailures_CountsThemByKindAndThrowsNone()
    {
        var scripts = new Queue<Func<ScriptedCall, Task>>(
        [
            AnswerAsync,
            call => call.JsonAsync("{}", 500),
            call => call.JsonAsync("{}", 500),
            call => call.JsonAsync("{}", 429, "x-gateway-reason: queue_full\r\n"),
            call => call.JsonAsync("""{"error":{"message":"This model's maximum context length is 5 tokens."}}""", 400),
            call => call.StreamAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n"),
            async call =>
            {
                await call.BeginStreamAsync();
                call.Reset();
            },
        ]);
        await using var engine = new ScriptedEngine(call => scripts.Dequeue()(call));
        using var load = new TestedLoad(engine.Uri);

        var figures = await load.RunAsync(new GivenTrace([.. Enumerable.Range(0, 7).Select(_ => GivenTrace.Row(session: "one"))])).ComesAsync("the load's end");

        Assert.Equal(
            [new NamedCount("status 500", 2), new("connection broken", 1), new("status 400", 1), new("status 429 (queue_full)", 1), new("stream cut", 1)], figures.Failures);
        Assert.Equal(
            [ReplayOutcome.Completed, ReplayOutcome.Failed, ReplayOutcome.Failed, ReplayOutcome.Refused, ReplayOutcome.TooLarge, ReplayOutcome.Failed, ReplayOutcome.Failed],
            load.Results.Select(result => result.Outcome));
    }

    [Fact]
    public async Task Run_OfAnAnswerThatNeverEnds_EndsWithItsPatience()
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync());
        using var load = new TestedLoad(engine.Uri, patience: TimeSpan.FromMilliseconds(50));

        var figures = await load.RunAsync(new GivenTrace(GivenTrace.Row())).ComesAsync("the load's end");

        Assert.Equal([new NamedCount("no end in time", 1)], figures.Failures);
    }

    [Fact]
    public async Task Run_BehindAGateway_TellsItsHeaders()
    {
        await using var engine = new ScriptedEngine(call => call.AnswerAsync(
            "text/event-stream", Answer, 200, "x-gateway-replica: engine-2\r\nx-gateway-queue-ms: 12\r\nx-gateway-estimated-output-tokens: 5\r\n"));
        using var load = new TestedLoad(engine.Uri);

        var figures = await load.RunAsync(new GivenTrace(GivenTrace.Row())).ComesAsync("the load's end");

        Assert.Equal([new NamedCount("engine-2", 1)], figures.Replicas);
        Assert.Equal((TimeSpan.FromMilliseconds(12), 5), (load.Results[0].QueueWait, load.Results[0].EstimatedOutputTokens));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_OfARow_AsksForItsLengthAndItsClass(bool plain)
    {
        await using var engine = new ScriptedEngine(AnswerAsync);
        using var load = new TestedLoad(engine.Uri, plain: plain);
        var row = GivenTrace.Row(output: 33, session: "grüße\n") with { Priority = PriorityClass.Batch, TimeToFirstTokenSlo = TimeSpan.FromMilliseconds(1_500) };

        await load.RunAsync(new GivenTrace(row)).ComesAsync("the load's end");

        var call = engine.Calls.Single();
        var body = JsonDocument.Parse(call.Body).RootElement;
        Assert.Equal(("/v1/chat/completions", "batch", "1500"), (call.Target, call.Header("x-gateway-priority").Single(), call.Header("x-gateway-ttft-slo-ms").Single()));
        Assert.Matches("^[0-9a-f]{16}$", call.Header("x-session-id").Single());
        Assert.Equal(("demo", 33, true), (body.GetProperty("model").GetString(), body.GetProperty("max_tokens").GetInt32(), body.GetProperty("stream").GetBoolean()));
        Assert.True(body.GetProperty("stream_options").GetProperty("include_usage").GetBoolean());
        Assert.Equal(!plain, body.TryGetProperty("ignore_eos", out _));
        Assert.Equal(!plain, body.TryGetProperty("min_tokens", out _));
    }

    private const string Answer = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

    private static Task AnswerAsync(ScriptedCall call) => call.StreamAsync(Answer);
}
