using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>However a stream ends at the engine, it ends in the API's own way at the client.</summary>
public sealed class StreamEndingTests
{
    private const string Chat = "/v1/chat/completions";
    private const string First = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    private const string Second = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\n";
    private const string Finish = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    private const string Done = "data: [DONE]\n\n";

    [Fact]
    public async Task MalformedFrame_InTheMiddle_IsDroppedAndTheRestDelivered()
    {
        var received = await ReceiveAsync(Chat, call => call.StreamAsync(First, "data: {\"id\":\"c\",\"cho\n\n", "data: <html>\n\n", Second, Finish, Done));

        Assert.Equal(First + Second + Finish + Done, received);
    }

    [Theory]
    [InlineData(Finish)]
    [InlineData(Finish + Done)]
    [InlineData(Finish + Done + Done)]
    [InlineData(Finish + "data: [DONE]\n")]
    [InlineData(Finish + "data: [DONE]")]
    public async Task Sentinel_MissingOrTwice_IsThereOnce(string ending)
    {
        var received = await ReceiveAsync(Chat, call => call.StreamAsync(First, ending));

        Assert.Equal(First + Finish + Done, received);
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("")]
    [InlineData("\r\n")]
    public async Task LastEvent_WithoutItsBlankLine_DoesNotRunIntoTheSentinel(string ending)
    {
        var received = await ReceiveAsync(Chat, call => call.StreamAsync(First, Finish.TrimEnd() + ending));

        Assert.Equal([First.Trim(), Finish.Trim(), Done.Trim()], Events(received));
    }

    [Fact]
    public async Task Stream_ThatIsCutAfterTheFirstOfTwoChoices_IsNotTakenForWhole()
    {
        const string Both = """{"model":"demo","messages":[],"stream":true,"n":2}""";
        var second = Finish.Replace("\"index\":0", "\"index\":1", StringComparison.Ordinal);

        var cut = await ReceiveAsync(Chat, call => call.StreamAsync(First, Finish), suspends: true, Both);
        var whole = await ReceiveAsync(Chat, call => call.StreamAsync(First, Finish, second), suspends: false, Both);

        Assert.StartsWith(First + Finish + "data: {\"error\":", cut, StringComparison.Ordinal);
        Assert.Equal(First + Finish + second + Done, whole);
    }

    [Fact]
    public async Task OneSentinel_OnApisThatHaveNone_IsNotInvented()
    {
        const string Completed = "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\"}}\n\n";
        const string Stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

        Assert.Equal(Completed, await ReceiveAsync("/v1/responses", call => call.StreamAsync(Completed)));
        Assert.Equal(Stop, await ReceiveAsync("/v1/messages", call => call.StreamAsync(Stop)));
    }

    public static TheoryData<string, string, string> Apis => new()
    {
        { Chat, First, "data: {\"error\":{\"message\":" },
        { "/v1/completions", "data: {\"choices\":[{\"index\":0,\"text\":\"a\"}]}\n\n", "data: {\"error\":{\"message\":" },
        { "/v1/responses", "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\",\"sequence_number\":4}\n\n", "event: error\ndata: {\"type\":\"error\",\"code\":" },
        { "/v1/messages", "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n", "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":" },
    };

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task Stream_ThatIsCut_EndsWithTheApisErrorEvent(string path, string first, string error)
    {
        Func<ScriptedCall, Task>[] cuts =
        [
            call => call.StreamAsync(first),
            call => call.StreamAsync(first, "data: {\"half\":"),
            async call =>
            {
                await call.BeginStreamAsync();
                await call.ChunkAsync(first);
            },
        ];
        foreach (var cut in cuts)
        {
            var received = await ReceiveAsync(path, cut, suspends: true);

            Assert.StartsWith(first + error, received, StringComparison.Ordinal);
            Assert.EndsWith("}\n\n", received, StringComparison.Ordinal);
            Assert.DoesNotContain("[DONE]", received, StringComparison.Ordinal);
            Assert.DoesNotContain("half", received, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Apis))]
    public async Task Stream_ThatFallsSilent_EndsWithTheApisErrorEvent(string path, string first, string error)
    {
        var received = await ReceiveAsync(path, async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(first);
            await call.ClientGoneAsync();
        }, suspends: true);

        Assert.StartsWith(first + error, received, StringComparison.Ordinal);
        Assert.Equal(path != "/v1/messages", received.Contains("upstream_timeout", StringComparison.Ordinal));
        Assert.DoesNotContain("[DONE]", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_ThatIsResetAfterContent_EndsWithTheApisErrorEvent()
    {
        var firstSeen = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(First);
            await firstSeen.Task;
            call.Reset();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine]);
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        using var response = await world.PostAsync(Chat, """{"model":"demo","messages":[],"stream":true}""", patience.Token);
        using var body = new StreamReader(await response.Content.ReadAsStreamAsync(patience.Token));
        Assert.Equal(First.Trim(), await body.ReadLineAsync(patience.Token));
        firstSeen.SetResult();

        Assert.StartsWith("\ndata: {\"error\":{\"message\":", await body.ReadToEndAsync(patience.Token), StringComparison.Ordinal);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task ErrorEvent_AfterContent_TakesTheApisFormBeforeWhatFollows()
    {
        const string Told = "data: {\"error\":{\"message\":\"died\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_error\"}}\n\n";
        const string Error = "data: {\"error\":{\"message\":\"died\",\"code\":500}}\n\n";

        var received = await ReceiveAsync(Chat, call => call.StreamAsync(First, Error, Done), suspends: true);

        Assert.Equal(First + Told + Done, received);
    }

    [Fact]
    public async Task FirstEvent_OfAnErrorOfTheClient_BecomesAStatus()
    {
        await using var engine = new ScriptedEngine(call => call.StreamAsync(
            "data: {\"error\":{\"message\":\"This model's maximum context length is 10 tokens\",\"type\":\"BadRequestError\",\"code\":400}}\n\n", Done));
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync(Chat, """{"model":"demo","messages":[],"stream":true}""");

        await ErrorAnswer.AssertAsync(response, 400, "context_length_exceeded");
        Assert.Single(engine.Calls);
    }

    [Fact]
    public async Task Engine_ThatStaysConnectedAfterTheEnd_KeepsNobodyWaiting()
    {
        var received = await ReceiveAsync(Chat, async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(First + Finish + Done);
            await call.ClientGoneAsync();
        });

        Assert.Equal(First + Finish + Done, received);
    }

    [Fact]
    public async Task Event_LongerThanIsRead_PassesAsItIs()
    {
        var huge = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + new string('z', 3_000_000) + "\"}}]}\n\n";

        var received = await ReceiveAsync(Chat, call => call.StreamAsync(First, huge, Finish, Done));

        Assert.True(First + huge + Finish + Done == received, "The long event changed on its way.");
    }

    private static string[] Events(string stream) =>
        [.. stream.ReplaceLineEndings("\n").Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Select(text => text.Trim())];

    private static async Task<string> ReceiveAsync(string path, Func<ScriptedCall, Task> script, bool suspends = false, string body = """{"model":"demo","messages":[],"stream":true}""")
    {
        await using var engine = new ScriptedEngine(script);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Resilience = options.Resilience with
            {
                StreamIdleTimeout = suspends ? TimeSpan.FromMilliseconds(300) : options.Resilience.StreamIdleTimeout,
                FailuresToOpen = 1,
                OpenDuration = TimeSpan.FromHours(1),
            },
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        using var response = await world.PostAsync(path, body, patience.Token);
        var received = await response.Content.ReadAsStringAsync(patience.Token);

        Assert.Equal(200, (int)response.StatusCode);
        await world.AtRestAsync();
        Assert.Equal(suspends, world.Pool.ReplicaList[0].FaultsInARow > 0);
        return received;
    }
}
