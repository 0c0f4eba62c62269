using System.Text.Json;
using Gateway.Simulation.Serving;

namespace Gateway.Tests.Simulation.Serving;

/// <summary>What vLLM refuses of the fields that shape the draw, and what it answers where log probabilities are asked for.</summary>
public sealed class SamplingRangesTests : IAsyncLifetime
{
    private SimulatedEngine _engine = null!;
    private EngineClient _client = null!;

    public async Task InitializeAsync()
    {
        _engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20, Seed = 1 }, default);
        _client = new EngineClient(_engine);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _engine.DisposeAsync();
    }

    [Theory]
    [InlineData("temperature", "-0.1", "temperature must be non-negative, got -0.1.")]
    [InlineData("temperature", "\"warm\"", "temperature must be a number.")]
    [InlineData("top_p", "0", "top_p must be in (0, 1], got 0.")]
    [InlineData("top_p", "1.5", "top_p must be in (0, 1], got 1.5.")]
    [InlineData("top_k", "-2", "top_k must be 0 or -1 (disable), or at least 1, got -2.")]
    [InlineData("min_p", "2", "min_p must be in [0, 1], got 2.")]
    [InlineData("presence_penalty", "-2.5", "presence_penalty must be in [-2, 2], got -2.5.")]
    [InlineData("frequency_penalty", "3", "frequency_penalty must be in [-2, 2], got 3.")]
    [InlineData("repetition_penalty", "0", "repetition_penalty must be greater than zero, got 0.")]
    [InlineData("top_logprobs", "3", "when using `top_logprobs`, `logprobs` must be set to true.")]
    [InlineData("top_logprobs", "21", "top_logprobs must be an integer from 0 to 20.")]
    public async Task Problem_OfAFieldOutOfItsRange_Is400AndNamesIt(string name, string value, string message)
    {
        using var response = await _client.SendAsync("/v1/chat/completions", $$"""{"messages":[{"role":"user","content":"answer with 3 tokens"}],"{{name}}":{{value}}}""");

        using var json = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        var error = json.RootElement.GetProperty("error");
        Assert.Equal((400, name, message), ((int)response.StatusCode, error.GetProperty("param").GetString(), error.GetProperty("message").GetString()));
    }

    [Fact]
    public async Task Problem_OfFieldsAtTheirBounds_IsNone() => await _client.PostJsonAsync("/v1/chat/completions", """
        {"messages":[{"role":"user","content":"answer with 3 tokens"}],"temperature":0,"top_p":1,"top_k":-1,"min_p":0,"presence_penalty":-2,"frequency_penalty":2,
         "repetition_penalty":0.1,"logprobs":true,"top_logprobs":20,"seed":null}
        """);

    [Fact]
    public async Task Chat_WithLogprobs_GivesThemForEachTokenWholeAndStreamed()
    {
        const string Ask = """{"messages":[{"role":"user","content":"answer with 5 tokens"}],"logprobs":true,"top_logprobs":2STREAM}""";

        var whole = await _client.PostJsonAsync("/v1/chat/completions", Ask.Replace("STREAM", "", StringComparison.Ordinal));
        var frames = await _client.PostStreamAsync("/v1/chat/completions", Ask.Replace("STREAM", ""","stream":true""", StringComparison.Ordinal));

        var choice = whole.GetProperty("choices")[0];
        var tokens = choice.GetProperty("logprobs").GetProperty("content").EnumerateArray().ToArray();
        var streamed = frames[..^1].Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("logprobs"))
            .Where(logprobs => logprobs.ValueKind != JsonValueKind.Null).SelectMany(logprobs => logprobs.GetProperty("content").EnumerateArray());
        Assert.Equal(choice.GetProperty("message").GetProperty("content").GetString(), string.Concat(tokens.Select(token => token.GetProperty("token").GetString())));
        Assert.Equal(5, tokens.Length);
        Assert.All(tokens, token => Assert.InRange(token.GetProperty("logprob").GetDouble(), -1, 0));
        Assert.All(tokens, token => Assert.Equal(2, token.GetProperty("top_logprobs").GetArrayLength()));
        Assert.Equal(tokens.Select(token => token.GetRawText()), streamed.Select(token => token.GetRawText()));
    }

    [Fact]
    public async Task Completion_WithLogprobs_GivesThemForEachTokenWholeAndStreamed()
    {
        const string Ask = """{"prompt":"Once, say 6 words","max_tokens":6,"logprobs":3STREAM}""";

        var whole = await _client.PostJsonAsync("/v1/completions", Ask.Replace("STREAM", "", StringComparison.Ordinal));
        var frames = await _client.PostStreamAsync("/v1/completions", Ask.Replace("STREAM", ""","stream":true""", StringComparison.Ordinal));

        var choice = whole.GetProperty("choices")[0];
        var (text, logprobs) = (choice.GetProperty("text").GetString()!, choice.GetProperty("logprobs"));
        var tokens = logprobs.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!).ToArray();
        var offsets = logprobs.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32()).ToArray();
        var streamed = frames[..^1].Select(frame => JsonDocument.Parse(frame["data: ".Length..]).RootElement.GetProperty("choices")[0].GetProperty("logprobs"))
            .Where(part => part.ValueKind != JsonValueKind.Null).ToArray();
        Assert.Equal(text, string.Concat(tokens));
        Assert.All(tokens.Zip(offsets), pair => Assert.Equal(pair.First, text.Substring(pair.Second, pair.First.Length)));
        Assert.Equal(tokens.Length, logprobs.GetProperty("token_logprobs").GetArrayLength());
        Assert.All(logprobs.GetProperty("top_logprobs").EnumerateArray(), top => Assert.Equal(3, top.EnumerateObject().Count()));
        Assert.Equal(offsets, streamed.SelectMany(part => part.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32())));
        Assert.Equal(tokens, streamed.SelectMany(part => part.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)));
    }
}
