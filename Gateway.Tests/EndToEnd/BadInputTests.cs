using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.EndToEnd;

/// <summary>A client's mistake gets the API's own error with the right status, and nobody is woken for it.</summary>
public sealed class BadInputTests : IAsyncLifetime
{
    private const int ContextTokens = 256;
    private const int MaxBodyBytes = 64 * 1024;
    private const string Chat = "/v1/chat/completions";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"ok"}"""), contextTokens: ContextTokens);
    private readonly CapturedLogs _logs = new();
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync(
        [_engine], options => options with { Listen = options.Listen with { MaxBodyBytes = MaxBodyBytes } },
        new ServerSettings { ConfigureLogging = logging => logging.AddProvider(_logs) });

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        Assert.Empty(_logs.Alarming);
        Assert.Equal(Gateway.Replicas.ReplicaHealth.Up, _world.Pool.ReplicaList[0].Health);
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    public static TheoryData<string, string, string, string> Bodies => new()
    {
        { Chat, "", "invalid_json", "empty" },
        { Chat, "   \n", "invalid_json", "JSON" },
        { Chat, "hello", "invalid_json", "JSON" },
        { Chat, "{\"model\":\"demo\"", "invalid_json", "JSON" },
        { Chat, "{\"model\":\"demo\"} x", "invalid_json", "JSON" },
        { Chat, "{'model':'demo'}", "invalid_json", "JSON" },
        { Chat, "{\"model\":\"demo\",}", "invalid_json", "JSON" },
        { Chat, "{\"model\":\"demo\",\"user\":\"a\0b\"}", "invalid_json", "JSON" },
        { Chat, "{\"model\":\"demo\",\"x\":NaN}", "invalid_json", "JSON" },
        { Chat, "[{\"model\":\"demo\"}]", "invalid_json", "object" },
        { Chat, "\"demo\"", "invalid_json", "object" },
        { Chat, "null", "invalid_json", "object" },
        { Chat, "{}", "missing_required_parameter", "/v1/models" },
        { Chat, "{\"model\":null}", "missing_required_parameter", "/v1/models" },
        { Chat, "{\"model\":\"\"}", "missing_required_parameter", "/v1/models" },
        { Chat, "{\"Model\":\"demo\"}", "missing_required_parameter", "/v1/models" },
        { Chat, "{\"model\":5}", "invalid_value", "string" },
        { Chat, "{\"model\":[\"demo\"]}", "invalid_value", "string" },
        { Chat, "{\"model\":\"\\ud800\"}", "invalid_value", "Unicode" },
        { Chat, "{\"model\":\"demo\",\"model\":\"demo\"}", "invalid_value", "twice" },
        { Chat, "{\"model\":\"demo\",\"m\\u006fdel\":\"other\"}", "invalid_value", "twice" },
        { Chat, "{\"model\":\"demo\",\"stream\":\"yes\"}", "invalid_value", "stream" },
        { Chat, "{\"model\":\"demo\",\"stream\":1}", "invalid_value", "stream" },
        { Chat, "{\"model\":\"demo\",\"stream_options\":[]}", "invalid_value", "stream_options" },
        { Chat, "{\"model\":\"demo\",\"stream_options\":{\"include_usage\":\"no\"}}", "invalid_value", "include_usage" },
        { Chat, "{\"model\":\"demo\",\"max_tokens\":1.5}", "invalid_value", "max_tokens" },
        { Chat, "{\"model\":\"demo\",\"max_tokens\":\"9\"}", "invalid_value", "max_tokens" },
        { Chat, "{\"model\":\"demo\",\"max_completion_tokens\":{}}", "invalid_value", "max_completion_tokens" },
        { Chat, "{\"model\":\"demo\",\"n\":0}", "invalid_value", "n" },
        { Chat, "{\"model\":\"demo\",\"messages\":{}}", "invalid_value", "messages" },
        { Chat, "{\"model\":\"demo\",\"messages\":\"hi\"}", "invalid_value", "messages" },
        { Chat, "{\"model\":\"demo\",\"messages\":[5]}", "invalid_value", "messages" },
        { Chat, "{\"model\":\"demo\",\"priority\":\"high\"}", "invalid_value", "priority" },
        { "/v1/completions", "{\"model\":\"demo\",\"prompt\":5}", "invalid_value", "prompt" },
        { "/v1/completions", "{\"model\":\"demo\",\"prompt\":[true]}", "invalid_value", "prompt" },
        { "/v1/embeddings", "{\"model\":\"demo\",\"input\":true}", "invalid_value", "input" },
        { "/v1/responses", "{\"model\":\"demo\",\"input\":5}", "invalid_value", "input" },
        { "/v1/responses", "{\"model\":\"demo\",\"previous_response_id\":7}", "invalid_value", "previous_response_id" },
        { "/v1/messages", "{\"model\":\"demo\",\"system\":5,\"messages\":[]}", "invalid_value", "system" },
        { "/v1/messages", "{", "invalid_json", "JSON" },
        { "/v1/messages/count_tokens", "{}", "missing_required_parameter", "/v1/models" },
        { "/-/explain", "{", "invalid_json", "JSON" },
    };

    [Theory]
    [MemberData(nameof(Bodies))]
    public async Task Body_ThatCannotBeServed_IsRefusedWith400AndARemedy(string path, string body, string code, string says)
    {
        using var response = await SendAsync(path, Encoding.UTF8.GetBytes(body));

        var message = await ErrorAnswer.AssertAsync(response, 400, code, IsAnthropic(path));
        Assert.Contains(says, message, StringComparison.Ordinal);
        Assert.True(message.Length > 20, $"The message says too little: {message}");
        Assert.Empty(_engine.Calls);
    }

    [Theory]
    [InlineData(Chat)]
    [InlineData("/v1/messages")]
    [InlineData("/v1/embeddings")]
    public async Task Model_ThatDoesNotExist_IsNotFound(string path)
    {
        using var response = await SendAsync(path, """{"model":"no/such \u0000\"model\""}"""u8.ToArray());

        var message = await ErrorAnswer.AssertAsync(response, 404, "model_not_found", IsAnthropic(path));
        Assert.Contains("GET /v1/models", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"model":"demo","messages":[],"temperature":1e308,"x":1e400,"max_tokens":1e2}""")]
    [InlineData("""{"model":"demo","messages":[],"max_tokens":1e308}""")]
    [InlineData("""{"model":"demo","messages":[],"max_tokens":99999999999999999999}""")]
    [InlineData("""{"model":"demo","messages":[{"role":"user","content":"\udc00\ud800 and \u0000"}],"user":"\udfff"}""")]
    [InlineData("""{"model":"demo","messages":null,"stream":null,"max_tokens":null,"n":null,"stop":{"odd":1}}""")]
    public async Task Body_ThatIsOnlyOdd_IsNeverTheGatewaysFault(string body)
    {
        using var response = await SendAsync(Chat, Encoding.UTF8.GetBytes(body));

        Assert.True((int)response.StatusCode is 200 or 400, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
    }

    [Fact]
    public async Task Body_OfBrokenUtf8_IsNeverTheGatewaysFault()
    {
        using var response = await SendAsync(Chat, [.. """{"model":"demo","messages":[{"role":"user","content":" """u8, 0xC3, 0x28, 0xFF, .. "\"}]}"u8]);

        Assert.True((int)response.StatusCode is 200 or 400, $"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
    }

    [Theory]
    [InlineData(64, 200)]
    [InlineData(65, 400)]
    [InlineData(30_000, 400)]
    public async Task Nesting_UpToTheLimit_IsTaken(int depth, int status)
    {
        var arrays = depth - 1;
        var body = $$"""{"model":"demo","x":{{new string('[', arrays)}}{{new string(']', arrays)}}}""";

        using var response = await SendAsync(Chat, Encoding.UTF8.GetBytes(body));

        Assert.Equal(status, (int)response.StatusCode);
        if (status == 400)
        {
            Assert.Contains("64", await ErrorAnswer.AssertAsync(response, 400, "invalid_json"), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(0, false, 200)]
    [InlineData(0, true, 200)]
    [InlineData(1, false, 413)]
    [InlineData(1, true, 413)]
    [InlineData(50_000, true, 413)]
    public async Task Body_AtTheLimit_IsTakenAndOneMoreByteIsNot(int beyond, bool isChunked, int status)
    {
        const string Head = "{\"model\":\"demo\",\"pad\":\"";
        var body = Encoding.UTF8.GetBytes(Head + new string('x', MaxBodyBytes + beyond - Head.Length - 2) + "\"}");

        using var response = await SendAsync(Chat, body, isChunked: isChunked);

        Assert.Equal(status, (int)response.StatusCode);
        if (status == 413)
        {
            var message = await ErrorAnswer.AssertAsync(response, 413, "request_too_large");
            Assert.Contains(MaxBodyBytes.ToString(CultureInfo.InvariantCulture), message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("text/plain", null)]
    [InlineData("multipart/form-data; boundary=x", null)]
    [InlineData("nonsense", null)]
    [InlineData("application/json", "gzip")]
    public async Task Body_OfAnotherType_IsRefused(string type, string? encoding)
    {
        using var response = await SendAsync(Chat, """{"model":"demo"}"""u8.ToArray(), type, encoding);

        Assert.Contains("application/json", await ErrorAnswer.AssertAsync(response, 415, "unsupported_media_type"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-gateway-priority", "foo")]
    [InlineData("x-gateway-priority", "1.5")]
    [InlineData("x-gateway-priority", "1e3")]
    [InlineData("x-gateway-deadline-ms", "abc")]
    [InlineData("x-gateway-deadline-ms", "-1")]
    [InlineData("x-gateway-deadline-ms", "0")]
    [InlineData("x-gateway-deadline-ms", "1e400")]
    [InlineData("x-gateway-deadline-ms", "NaN")]
    [InlineData("x-gateway-ttft-slo-ms", "soon")]
    [InlineData("x-litellm-timeout", "soon")]
    [InlineData("x-litellm-timeout", "0")]
    [InlineData("x-litellm-timeout", "-5")]
    [InlineData("x-litellm-timeout", "99999999")]
    [InlineData("x-litellm-stream-timeout", "")]
    [InlineData("x-litellm-num-retries", "-1")]
    [InlineData("x-litellm-num-retries", "1.5")]
    [InlineData("x-litellm-num-retries", "1000")]
    public async Task Header_OfOursThatCannotBeRead_IsNamed(string name, string value)
    {
        using var chat = await _world.PostAsync(Chat, """{"model":"demo","messages":[]}""", [(name, value)]);
        using var messages = await _world.PostAsync("/v1/messages", """{"model":"demo","messages":[]}""", [(name, value)]);

        Assert.Contains(name, await ErrorAnswer.AssertAsync(chat, 400, "invalid_header"), StringComparison.Ordinal);
        Assert.Contains(name, await ErrorAnswer.AssertAsync(messages, 400, "invalid_header", isAnthropic: true), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-llm-d-slo-ttft-ms", "1e999")]
    [InlineData("x-request-priority", "whatever")]
    [InlineData("x-request-id", "has spaces and \"quotes\"")]
    public async Task Header_OfAPeerThatCannotBeRead_IsIgnored(string name, string value)
    {
        using var response = await _world.PostAsync(Chat, """{"model":"demo","messages":[]}""", [(name, value)]);

        Assert.Equal(200, (int)response.StatusCode);
    }

    [Fact]
    public async Task Prompt_LongerThanTheContext_IsRefusedBeforeAnyEngineSeesIt()
    {
        var ids = string.Join(',', Enumerable.Repeat("7", ContextTokens + 1));
        var text = string.Concat(Enumerable.Repeat("many words ", 5_000));

        using var byIds = await SendAsync("/v1/completions", Encoding.UTF8.GetBytes($$"""{"model":"demo","prompt":[{{ids}}]}"""));
        using var byText = await SendAsync(Chat, Encoding.UTF8.GetBytes($$$"""{"model":"demo","messages":[{"role":"user","content":"{{{text}}}"}]}"""));
        using var anthropic = await SendAsync("/v1/messages", Encoding.UTF8.GetBytes($$$"""{"model":"demo","messages":[{"role":"user","content":"{{{text}}}"}]}"""));

        await ErrorAnswer.AssertAsync(byIds, 400, "context_length_exceeded");
        Assert.Contains($"maximum context length of model 'demo' is {ContextTokens} tokens", await ErrorAnswer.AssertAsync(byText, 400, "context_length_exceeded"), StringComparison.Ordinal);
        await ErrorAnswer.AssertAsync(anthropic, 400, "context_length_exceeded", isAnthropic: true);
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task Client_ThatSendsLessThanItAnnounced_LeavesNothingBehind()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        using var client = new System.Net.Sockets.TcpClient();
        await client.ConnectAsync("127.0.0.1", new Uri(_world.Server.Urls[0]).Port, patience.Token);
        var stream = client.GetStream();
        await stream.WriteAsync("POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{\"model\""u8.ToArray(), patience.Token);
        client.Close();

        await _world.AtRestAsync();
        Assert.Empty(_engine.Calls);
    }

    private static bool IsAnthropic(string path) => path.StartsWith("/v1/messages", StringComparison.Ordinal);

    private async Task<HttpResponseMessage> SendAsync(
        string path, byte[] body, string type = "application/json", string? encoding = null, bool isChunked = false)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.TryAddWithoutValidation("Content-Type", type);
        if (encoding is not null)
        {
            request.Content.Headers.ContentEncoding.Add(encoding);
        }
        request.Headers.TransferEncodingChunked = isChunked;
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        return await _world.Client.SendAsync(request);
    }
}
