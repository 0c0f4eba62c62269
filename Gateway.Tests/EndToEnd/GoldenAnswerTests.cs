using System.Text;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>What the client receives equals what the engine sent, but for the named splices.</summary>
public sealed class GoldenAnswerTests : IAsyncLifetime
{
    private const string Chat = "/v1/chat/completions";
    private const string Done = "data: [DONE]\n\n";
    private const string Finish = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    private const string Usage = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("{}"), ["m"]);
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync(
        [_engine], options => GatewayWorld.WithModel(options, model => model with { UpstreamModel = "m", Aliases = ["m", "my alias \"ü\""] }));

    public async Task DisposeAsync()
    {
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("{ \"id\" : \"c\",\r\n\"model\":\"m\", \"big\":1.000e+10,\"x\":\"\\u00e9\\/é😀<\",\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},\"later\":{\"invented\":[null]} }\n")]
    [InlineData("""{"choices":[],"model":"m","model_extra":"m"}""")]
    public async Task PlainAnswer_UnderTheEnginesName_PassesByteForByte(string answer)
    {
        _engine.Script = call => call.JsonAsync(answer);

        using var response = await PostAsync(Chat, "m");

        Assert.Equal(answer, await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json", response.Content.Headers.ContentType?.ToString());
    }

    [Fact]
    public async Task PlainAnswer_ToAnAlias_ShowsTheAliasAndNothingElseNew()
    {
        _engine.Script = call => call.JsonAsync("""{"x":{"model":"m"},"model" : "m","choices":[{"message":{"content":"\"model\":\"m\""}}]}""");

        using var response = await PostAsync(Chat, "my alias \\\"ü\\\"");

        Assert.Equal("""{"x":{"model":"m"},"model" : "my alias \"ü\"","choices":[{"message":{"content":"\"model\":\"m\""}}]}""", await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(100_000)]
    public async Task Stream_HoweverItIsChunked_PassesByteForByte(int chunkBytes)
    {
        var stream = ": hello\n\n"
            + "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n"
            + "id: 17\nretry: 100\nevent: chunk\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"é😀\"}}]}\n\n"
            + "data:{\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"no space\"}}],\"hidden_states\":null}\r\n\r\n"
            + "data: {\"sglext\":{\"x\":1},\"choices\":[]}\n\n"
            + "data: {\"timings\":{\"prompt_n\":3}}\n\n\n\n"
            + "data: {\"choices\":[{\"index\":0,\n"
            + "data: \"delta\":{\"content\":\"two lines\"}}]}\n\n"
            + Finish + Usage + Done;
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            foreach (var piece in Encoding.UTF8.GetBytes(stream).Chunk(chunkBytes))
            {
                await call.ChunkAsync(piece);
            }
            await call.EndStreamAsync();
        };

        using var response = await PostAsync(Chat, "m", ""","stream":true,"stream_options":{"include_usage":true}""");

        Assert.Equal(stream, await response.Content.ReadAsStringAsync());
    }

    [Theory]
    [InlineData("Text/Event-Stream")]
    [InlineData("text/event-stream;")]
    [InlineData("text/event-stream;charset=utf-8;")]
    [InlineData("text/event-stream; charset=\"utf-8\"")]
    [InlineData("text/event-stream; charset")]
    public async Task Stream_OfATypeWrittenOddly_IsStillAStream(string type)
    {
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync(type);
            await call.ChunkAsync(RawEngine.Frame("a"));
            await call.ChunkAsync(RawEngine.LastFrames());
            await call.EndStreamAsync();
        };

        using var response = await _world.PostAsync("/v1/chat/completions", """{"model":"demo","messages":[{"role":"user","content":"x"}],"stream":true}""");

        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_OfTheAlias_CarriesItsNameInEveryEvent()
    {
        _engine.Script = call => call.StreamAsync(
            "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n", "data: {\"choices\":[],\"model\": \"m\",\"x\":1}\n\n", Finish, Done);

        using var response = await PostAsync(Chat, "demo", ""","stream":true""");

        Assert.Equal(
            "data: {\"model\":\"demo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[],\"model\": \"demo\",\"x\":1}\n\n"
            + Finish.Replace("\"m\"", "\"demo\"", StringComparison.Ordinal) + Done,
            await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task ResponsesStream_OfTheAlias_CarriesItsNameInsideTheResponse()
    {
        const string Stream = "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"model\":\"m\",\"status\":\"in_progress\"}}\n\n"
            + "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":1,\"delta\":\"a\"}\n\n"
            + "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":2,\"response\":{\"id\":\"resp_1\",\"model\":\"m\",\"status\":\"completed\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n";
        _engine.Script = call => call.StreamAsync(Stream);

        using var response = await PostAsync("/v1/responses", "demo", ""","stream":true,"input":"x" """);

        Assert.Equal(Stream.Replace("\"model\":\"m\"", "\"model\":\"demo\"", StringComparison.Ordinal), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task MessagesStream_OfTheAlias_CarriesItsNameInsideTheMessage()
    {
        const string Stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"model\":\"m\",\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n"
            + "event: ping\ndata: {\"type\":\"ping\"}\n\n"
            + "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
            + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\n"
            + "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        _engine.Script = call => call.StreamAsync(Stream);

        using var response = await PostAsync("/v1/messages", "demo", ""","stream":true,"max_tokens":4""");

        Assert.Equal(Stream.Replace("\"model\":\"m\"", "\"model\":\"demo\"", StringComparison.Ordinal), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task UsageEvent_ThatTheClientDidNotAskFor_StaysInTheGateway()
    {
        _engine.Script = call => call.StreamAsync(Finish, Usage, Done);

        using var silent = await PostAsync(Chat, "m", ""","stream":true""");
        using var asked = await PostAsync(Chat, "m", ""","stream":true,"stream_options":{"include_usage":true}""");

        Assert.Equal(Finish + Done, await silent.Content.ReadAsStringAsync());
        Assert.Equal(Finish + Usage + Done, await asked.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Events_OfASlowStream_ReachTheClientOneByOne()
    {
        var next = new SemaphoreSlim(0);
        _engine.Script = async call =>
        {
            await call.BeginStreamAsync();
            foreach (var text in (string[])[": first\n\n", Finish, Done])
            {
                await next.WaitAsync();
                await call.ChunkAsync(text);
            }
            await call.EndStreamAsync();
        };

        next.Release();
        using var response = await PostAsync(Chat, "m", ""","stream":true""");
        await using var body = await response.Content.ReadAsStreamAsync();
        var first = await ReadAsync(body, ": first\n\n".Length);
        next.Release();
        var second = await ReadAsync(body, Finish.Length);
        next.Release();

        Assert.Equal(": first\n\n", first);
        Assert.Equal(Finish, second);
        Assert.Equal(Done, await ReadAsync(body, Done.Length));
    }

    [Fact]
    public async Task Headers_OfAStream_AreThoseOfALiveStream()
    {
        _engine.Script = call => call.StreamAsync(Finish, Done);

        using var response = await PostAsync(Chat, "m", ""","stream":true""");

        Assert.Equal("text/event-stream; charset=utf-8", response.Content.Headers.GetValues("Content-Type").Single());
        Assert.Null(response.Content.Headers.ContentLength);
        Assert.Equal("no-cache", response.Headers.GetValues("Cache-Control").Single());
        Assert.Equal("no", response.Headers.GetValues("X-Accel-Buffering").Single());
    }

    [Fact]
    public async Task Headers_OfAPlainAnswer_KeepTypeStatusAndWhatTheEngineAdded()
    {
        _engine.Script = call => call.JsonAsync("""{"id":"c"}""", 201, "X-Engine-Invented: a, b\r\nServer: uvicorn\r\n");

        using var response = await PostAsync(Chat, "m");

        Assert.Equal(201, (int)response.StatusCode);
        Assert.Equal("a, b", response.Headers.GetValues("X-Engine-Invented").Single());
        Assert.False(response.Headers.Contains("Server"));
        Assert.Equal(10, response.Content.Headers.ContentLength);
    }

    private Task<HttpResponseMessage> PostAsync(string path, string model, string more = "") =>
        _world.PostAsync(path, $$"""{"model":"{{model}}","messages":[]{{more}}}""");

    private static async Task<string> ReadAsync(Stream body, int bytes)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var buffer = new byte[bytes];
        await body.ReadExactlyAsync(buffer, patience.Token);
        return Encoding.UTF8.GetString(buffer);
    }
}
