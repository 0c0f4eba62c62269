using Gateway.Forwarding;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Signs of life for streaming clients: while queued, in a long prefill and in a silent stream; off unless asked for.</summary>
public sealed class HeartbeatTests
{
    private const string ChatPath = "/v1/chat/completions";
    private const string First = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    private const string Finish = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    private const string Done = "data: [DONE]\n\n";
    private const string Ask = """{"model":"demo","messages":[],"stream":true}""";

    private static readonly HeartbeatOptions Quick = new() { Interval = TimeSpan.FromMilliseconds(20), CommitAfter = TimeSpan.FromMilliseconds(20) };

    private static readonly HeartbeatOptions Late = new() { Interval = TimeSpan.FromHours(1), CommitAfter = TimeSpan.FromHours(1) };

    [Theory]
    [InlineData(ChatPath, HeartbeatForm.Newlines, "\n\n\n")]
    [InlineData(ChatPath, HeartbeatForm.Comment, ": keep-alive\n\n")]
    [InlineData("/v1/completions", HeartbeatForm.Newlines, "\n\n\n")]
    [InlineData("/v1/responses", HeartbeatForm.Newlines, ": keep-alive\n\n")]
    [InlineData("/v1/messages", HeartbeatForm.Newlines, "event: ping\ndata: {\"type\": \"ping\"}\n\n")]
    public async Task LongPrefill_WithBeats_IsHeardFromInTheApisFormAndTheAnswerIsWhole(string path, HeartbeatForm form, string beat)
    {
        var isHeard = new TaskCompletionSource();
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await isHeard.Task;
            await call.ChunkAsync(First + Finish + Done);
            await call.EndStreamAsync();
        });
        await using var world = await BeforeAsync(engine, Quick with { Form = form });

        using var response = await world.PostAsync(path, Ask).ComesAsync("the headers, before the engine says a word");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var heard = new char[2 * beat.Length];
        await reader.ReadBlockAsync(heard).AsTask().ComesAsync("two beats");
        isHeard.SetResult();
        var rest = await reader.ReadToEndAsync().ComesAsync("the answer");

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(beat + beat, new string(heard));
        Assert.StartsWith(First + Finish, rest.Replace(beat, "", StringComparison.Ordinal), StringComparison.Ordinal);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task SilentStream_WithBeats_IsHeardFromOnlyBetweenEvents()
    {
        var isHeard = new TaskCompletionSource();
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(First);
            await isHeard.Task;
            await call.ChunkAsync(Finish + Done);
            await call.EndStreamAsync();
        });
        await using var world = await BeforeAsync(engine, Quick with { CommitAfter = TimeSpan.Zero });

        using var response = await world.PostAsync(ChatPath, Ask);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        var heard = new char[First.Length + 6];
        await reader.ReadBlockAsync(heard).AsTask().ComesAsync("an event and two beats");
        isHeard.SetResult();
        var rest = await reader.ReadToEndAsync().ComesAsync("the rest");

        Assert.Equal(First + "\n\n\n\n\n\n", new string(heard));
        Assert.Equal(Finish + Done, rest.TrimStart('\n'));
        Assert.NotEmpty(response.Headers.GetValues("x-gateway-replica"));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task SilentStream_WithBeats_IsStillCutWhenTheEngineIsSilentTooLong()
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(First);
            await call.ClientGoneAsync();
        });
        await using var world = await BeforeAsync(engine, Quick, options => options with { StreamIdleTimeout = TimeSpan.FromMilliseconds(300) });

        using var response = await world.PostAsync(ChatPath, Ask);
        var received = await response.Content.ReadAsStringAsync().ComesAsync("the end of the stream");

        Assert.StartsWith(First, received.TrimStart('\n'), StringComparison.Ordinal);
        Assert.Contains("upstream_timeout", received, StringComparison.Ordinal);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(ChatPath, "200", "\n\n\ndata: {\"error\":{")]
    [InlineData("/v1/messages", "200", "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"timeout_error\"")]
    [InlineData("/v1/messages", "60000", "\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\"")]
    public async Task Refusal_AfterTheFirstBeat_IsTheStreamsLastEvent(string path, string deadline, string end)
    {
        await using var engine = new ScriptedEngine(async call => await call.ClientGoneAsync());
        await using var world = await BeforeAsync(engine, Quick, slots: 1, maxWait: TimeSpan.FromSeconds(1));
        using var leave = new CancellationTokenSource();
        var holder = world.PostAsync(ChatPath, """{"model":"demo","messages":[]}""", leave.Token);
        await Until.HoldsAsync(() => world.Running() == 1, "the only slot is taken");

        using var response = await world.PostAsync(path, Ask, [("x-gateway-deadline-ms", deadline)]).ComesAsync("the headers");
        var received = await response.Content.ReadAsStringAsync().ComesAsync("the end");
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => holder);

        Assert.Equal(200, (int)response.StatusCode);
        Assert.Contains(end, received, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", received, StringComparison.Ordinal);
        Assert.Single(engine.Calls);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Failure_BeforeTheFirstBeat_KeepsItsStatus()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("""{"error":{"message":"bad","type":"BadRequestError"}}""", 400));
        await using var world = await BeforeAsync(engine, Quick with { CommitAfter = TimeSpan.FromMinutes(10) });

        using var response = await world.PostAsync(ChatPath, Ask);

        Assert.Equal(400, (int)response.StatusCode);
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task PlainAnswer_ThatBreaksOffUnread_IsCutForTheClient(bool beats)
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync("application/json");
            await call.ChunkAsync("{\"id\":\"" + new string('x', 20_000));
            call.Reset();
        });
        await using var world = await GatewayWorld.BeforeAsync(
            [engine], options => options with { Resilience = options.Resilience with { MaxBufferedBytes = 1_024, Heartbeat = beats ? Late : new() } });

        await Assert.ThrowsAnyAsync<HttpRequestException>(async () =>
        {
            using var response = await world.PostAsync(ChatPath, Ask);
            await response.Content.ReadAsStringAsync();
        });
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Header_ThatHttpForbids_IsAClearErrorInTheApisShape(bool beats)
    {
        await using var engine = new ScriptedEngine(call => call.AnswerAsync("text/event-stream", First + Finish + Done, headers: "X-Odd: a\u0001b\r\n"));
        await using var world = await BeforeAsync(engine, beats ? Late : new());

        using var response = await world.PostAsync(ChatPath, Ask);

        await ErrorAnswer.AssertAsync(response, 502, "upstream_bad_answer");
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Header_ThatHttpForbids_LeavesNoneOfItsAnswersToTheFallback(bool beats)
    {
        var calls = 0;
        await using var engine = new ScriptedEngine(call => call.AnswerAsync(
            "text/event-stream", First + Finish + Done, headers: Interlocked.Increment(ref calls) == 1 ? "X-First: 1\r\nX-Both: 1\r\nX-Odd: a\u0001b\r\n" : "X-Both: 2\r\n"), models: ["demo", "other"]);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Models = [options.Models[0] with { Fallbacks = ["other"] }, options.Models[0] with { Name = "other", Aliases = [] }],
            Resilience = options.Resilience with { Heartbeat = beats ? Late : new() },
        });

        using var response = await world.PostAsync(ChatPath, Ask);

        Assert.Equal(2, calls);
        Assert.Equal(200, (int)response.StatusCode);
        Assert.False(response.Headers.Contains("X-First"));
        Assert.Equal(["2"], response.Headers.GetValues("X-Both"));
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        await response.Content.ReadAsStringAsync();
        await world.AtRestAsync();
    }

    [Fact]
    public async Task PlainAnswer_AfterTheFirstBeat_IsAnErrorForTheClientAndInTheLog()
    {
        var log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(async call =>
        {
            await heard.Task;
            await call.JsonAsync("""{"id":"c","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}""");
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Resilience = options.Resilience with { Heartbeat = Quick },
            Telemetry = options.Telemetry with { AccessLog = log },
        });
        try
        {
            using var response = await world.PostAsync(ChatPath, Ask).ComesAsync("the headers");
            heard.SetResult();
            var received = await response.Content.ReadAsStringAsync().ComesAsync("the end");
            await world.AtRestAsync();
            await world.DisconnectAsync();

            Assert.Contains("\"code\":\"upstream_bad_answer\"", received, StringComparison.Ordinal);
            Assert.Contains("\"outcome\":\"failed\"", await File.ReadAllTextAsync(log), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(log);
        }
    }

    [Fact]
    public async Task Client_ThatLeavesBetweenBeats_CostsNothing()
    {
        await using var engine = new ScriptedEngine(async call => await call.ClientGoneAsync());
        await using var world = await BeforeAsync(engine, Quick);

        using (var response = await world.PostAsync(ChatPath, Ask).ComesAsync("the headers"))
        {
            Assert.Equal(200, (int)response.StatusCode);
        }

        await world.AtRestAsync();
    }

    [Fact]
    public async Task Answer_ThatComesBeforeAnyBeat_PassesWithItsHeadersAsWithoutBeats()
    {
        await using var engine = new ScriptedEngine(call => call.StreamAsync(First, Finish, Done));
        await using var world = await BeforeAsync(engine, Quick with { Interval = TimeSpan.FromMinutes(1), CommitAfter = TimeSpan.FromMinutes(1) });

        using var response = await world.PostAsync(ChatPath, Ask);

        Assert.Equal(First + Finish + Done, await response.Content.ReadAsStringAsync());
        Assert.NotEmpty(response.Headers.GetValues("x-gateway-replica"));
        Assert.Equal("no-cache", response.Headers.CacheControl?.ToString());
        await world.AtRestAsync();
    }

    private static Task<GatewayWorld> BeforeAsync(
        ScriptedEngine engine, HeartbeatOptions heartbeat, Func<ResilienceOptions, ResilienceOptions>? more = null, int? slots = null, TimeSpan? maxWait = null) =>
        GatewayWorld.BeforeAsync([engine], options =>
        {
            var resilience = options.Resilience with { Heartbeat = heartbeat };
            options = options with { Resilience = more?.Invoke(resilience) ?? resilience, Queue = options.Queue with { MaxWait = maxWait ?? options.Queue.MaxWait } };
            return slots is null ? options : GatewayWorld.WithModel(options, model => model with { Replicas = [model.Replicas[0] with { Slots = slots }] });
        });
}
