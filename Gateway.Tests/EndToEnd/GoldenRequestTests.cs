using System.Text;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>What the engine receives equals what the client sent, but for the named splices.</summary>
public sealed class GoldenRequestTests : IAsyncLifetime
{
    private const string Answer = """{"id":"c","object":"chat.completion","model":"engine/model","choices":[{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1}}""";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync(Answer), ["engine/model", "demo"]);
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync(
        [_engine], options => GatewayWorld.WithModel(options, model => model with { UpstreamModel = "engine/model", Aliases = ["gpt-4o", "engine/model"] }));

    public async Task DisposeAsync()
    {
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("{ \"temperature\" : 1.50e+00 ,\n\t\"messages\":[ {\"role\":\"user\" , \"content\":\"a\\u0022b\\/c \\ud83d\\ude00 é 漢 😀 <>&'+\"} ],\r\n \"model\":\"engine/model\"  }\r\n")]
    [InlineData("""{"model":"engine/model","x_unknown":{"deep":[1,2,{"a":null}],"big":123456789012345678901234567890.000,"e":1E+400},"messages":[]}""")]
    [InlineData("""{"seed":1,"model":"engine/model","seed":2,"messages":[{"content":"z","role":"user"}],"max_tokens":5,"max_tokens":6,"user":"\u0000"}""")]
    [InlineData("""{"messages":[{"role":"user","content":"\ud800 alone"}],"model":"engine/model","stop":["\n\n"],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"logprobs":true,"n":2}""")]
    [InlineData("\uFEFF {\"m\\u006fdel\":\"engine\\/model\",\"messages\":[]}")]
    public async Task Body_UnderTheEnginesOwnName_ArrivesByteForByte(string body)
    {
        var received = await SendAsync(body);

        Assert.Equal(body, received);
    }

    [Theory]
    [InlineData("""{"model":"gpt-4o","messages":[]}""", """{"model":"engine/model","messages":[]}""")]
    [InlineData("{ \"x\":{\"model\":\"gpt-4o\"}, \"model\" : \"gpt\\u002d4o\" ,\"y\":1.0 }", "{ \"x\":{\"model\":\"gpt-4o\"}, \"model\" : \"engine/model\" ,\"y\":1.0 }")]
    [InlineData("""{"messages":[{"role":"user","content":"\"model\":\"gpt-4o\""}],"model":"demo"}""", """{"messages":[{"role":"user","content":"\"model\":\"gpt-4o\""}],"model":"engine/model"}""")]
    public async Task Alias_InTheBody_IsTheOnlyThingReplaced(string sent, string expected)
    {
        var received = await SendAsync(sent);

        Assert.Equal(expected, received);
    }

    [Theory]
    [InlineData("""{"model":"engine/model","stream":true}""", """{"stream_options":{"include_usage":true},"model":"engine/model","stream":true}""")]
    [InlineData("""{ "model":"engine/model","stream":true,"stream_options":{ "x" : 1 } }""", """{ "model":"engine/model","stream":true,"stream_options":{"include_usage":true, "x" : 1 } }""")]
    [InlineData("""{"stream_options":{"include_usage": false },"model":"engine/model","stream":true}""", """{"stream_options":{"include_usage": true },"model":"engine/model","stream":true}""")]
    [InlineData("""{"stream_options":null,"model":"engine/model","stream":true}""", """{"stream_options":{"include_usage":true},"model":"engine/model","stream":true}""")]
    [InlineData("""{"stream_options":{"include_usage":true},"model":"engine/model","stream":true}""", """{"stream_options":{"include_usage":true},"model":"engine/model","stream":true}""")]
    [InlineData("""{"stream":false,"model":"engine/model"}""", """{"stream":false,"model":"engine/model"}""")]
    public async Task Usage_OfAStream_IsAskedForWhereTheClientDidNot(string sent, string expected)
    {
        var received = await SendAsync(sent);

        Assert.Equal(expected, received);
    }

    [Theory]
    [InlineData("/v1/responses", """{"model":"engine/model","input":"x","stream":true}""")]
    [InlineData("/v1/messages", """{"model":"engine/model","max_tokens":5,"messages":[],"stream":true}""")]
    public async Task Usage_OfApisThatAlwaysTellIt_IsNotAskedFor(string path, string body)
    {
        var received = await SendAsync(body, path);

        Assert.Equal(body, received);
    }

    [Fact]
    public async Task Query_OfARequest_ArrivesAsWritten()
    {
        await SendAsync("""{"model":"engine/model","max_tokens":1,"messages":[]}""", "/v1/messages?beta=true&x=%2Fa%20b+c");

        Assert.Equal("/v1/messages?beta=true&x=%2Fa%20b+c", _engine.Calls[^1].Target);
    }

    [Fact]
    public async Task Body_OfManyMegabytes_ArrivesByteForByte()
    {
        var random = new Random(7);
        var text = new string([.. Enumerable.Range(0, 3_000_000).Select(_ => (char)random.Next('a', 'z'))]);
        var body = $$$"""{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,{{{text}}}"}}]}],"model":"engine/model"}""";

        var received = await SendAsync(body);

        Assert.True(body == received, "The body changed on its way.");
    }

    private async Task<string> SendAsync(string body, string path = "/v1/chat/completions")
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", "application/json");
        using var response = await _world.Client.PostAsync(path, content);
        Assert.True(response.IsSuccessStatusCode, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return _engine.Calls[^1].BodyText;
    }
}
