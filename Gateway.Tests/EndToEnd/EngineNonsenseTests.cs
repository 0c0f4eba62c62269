using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>An engine that answers nonsense before the first byte: the client gets a clear error, the replica's health suffers, nothing stays behind.</summary>
public sealed class EngineNonsenseTests
{
    private const string Chat = "/v1/chat/completions";
    private const string Close = "Connection: close\r\n\r\n";

    public static TheoryData<string, string, int, string> Faults => new()
    {
        { "HTML", "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n" + Close + "<html>hello</html>", 502, "upstream_bad_answer" },
        { "plain text", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n" + Close + "hello", 502, "upstream_bad_answer" },
        { "broken JSON", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + Close + "{\"id\":", 502, "upstream_bad_answer" },
        { "a number", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + Close + "42", 502, "upstream_bad_answer" },
        { "an empty body", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 0\r\n" + Close, 502, "upstream_bad_answer" },
        { "no content", "HTTP/1.1 204 No Content\r\n" + Close, 502, "upstream_bad_answer" },
        { "less than announced", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n" + Close + "{\"id\":1}", 502, "upstream_body_incomplete" },
        { "more than announced", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n" + Close + "{\"id\":1}", 502, "upstream_bad_answer" },
        { "cut chunks", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n" + Close + "8\r\n{\"id\":1}\r\n", 502, "upstream_body_incomplete" },
        { "gzip", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n" + Close + "\u001f\u0008nonsense", 502, "upstream_bad_answer" },
        { "garbage", "SSH-2.0-OpenSSH_9.2\r\n\r\n", 502, "upstream_bad_answer" },
        { "a bad status line", "HTTP/1.1 abc OK\r\n" + Close, 502, "upstream_bad_answer" },
        { "a header without end", "HTTP/1.1 200 OK\r\nX-Long: " + new string('a', 100_000), 502, "upstream_bad_answer" },
        { "nothing", "", 502, "upstream_unreachable" },
        { "a redirect", "HTTP/1.1 307 Moved\r\nLocation: http://127.0.0.1:1/\r\n" + Close, 502, "upstream_bad_answer" },
        { "an error inside 200", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + Close + """{"error":{"message":"CUDA out of memory","type":"InternalServerError","code":500}}""", 502, "upstream_error" },
        { "a flat error inside 200", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + Close + """{"object":"error","message":"scheduler died","code":500}""", 502, "upstream_error" },
        { "an error as the first event", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + Close + "data: {\"error\":{\"message\":\"scheduler died\",\"code\":500}}\n\ndata: [DONE]\n\n", 502, "upstream_error" },
        { "an empty stream", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + Close, 502, "upstream_body_incomplete" },
        { "a stream of nonsense", "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n" + Close + "data: {\n\ndata: <html>\n\n", 502, "upstream_body_incomplete" },
        { "500", "HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\n" + Close + """{"error":{"message":"EngineCore died","type":"InternalServerError","param":null,"code":500}}""", 500, "upstream_error" },
        { "502 as HTML", "HTTP/1.1 502 Bad\r\nContent-Type: text/html\r\n" + Close + "<html>10.0.0.5</html>", 502, "upstream_error" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Nonsense_WithNobodyElseToAsk_IsAClearErrorAndAFaultOfTheReplica(string what, string answer, int status, string code)
    {
        await using var engine = Engine(answer);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Resilience = options.Resilience with { MaxRetries = 0, FailuresToOpen = 1, OpenDuration = TimeSpan.FromHours(1) },
        });

        using var response = await world.PostAsync(Chat, Body(what.Contains("stream", StringComparison.Ordinal) || what.Contains("event", StringComparison.Ordinal)));

        var message = await ErrorAnswer.AssertAsync(response, status, code);
        Assert.DoesNotContain("10.0.0.5", message, StringComparison.Ordinal);
        Assert.NotEqual(0, world.Pool.ReplicaList[0].FaultsInARow);
        await world.AtRestAsync();
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Nonsense_WithAnotherReplica_IsNotSeenByTheClient(string what, string answer, int status, string code)
    {
        await using var bad = Engine(answer);
        await using var good = new ScriptedEngine(call => call.JsonAsync("""{"id":"good"}"""));
        await using var world = await GatewayWorld.BeforeAsync([bad, good]);

        for (var i = 0; i < 4; i++)
        {
            using var response = await world.PostAsync(Chat, Body(isStreaming: false));

            var body = await response.Content.ReadAsStringAsync();
            Assert.True(body == """{"id":"good"}""", $"{what} (alone {status} {code}): {body}");
        }

        Assert.NotEmpty(bad.Calls);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Reset_BeforeTheHeaders_IsRetriedElsewhereAndThenUnreachable()
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.ReadBodyAsync();
            call.Reset();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine]);

        using var response = await world.PostAsync(Chat, Body(isStreaming: true));

        await ErrorAnswer.AssertAsync(response, 502, "upstream_unreachable");
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Refusal_OfTheConnection_IsRetriedElsewhereThenUnreachable()
    {
        await using var gone = new ScriptedEngine(call => call.JsonAsync("{}"));
        await using var good = new ScriptedEngine(call => call.JsonAsync("""{"id":"good"}"""));
        await using var world = await GatewayWorld.BeforeAsync([gone, good]);
        gone.Close();

        for (var i = 0; i < 4; i++)
        {
            using var response = await world.PostAsync(Chat, Body(isStreaming: false));
            Assert.Equal("""{"id":"good"}""", await response.Content.ReadAsStringAsync());
        }
        good.Close();
        using var none = await world.PostAsync(Chat, Body(isStreaming: false));

        Assert.True((int)none.StatusCode is 502 or 503, $"{none.StatusCode}");
        await world.AtRestAsync();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Silence_BeforeTheFirstByte_EndsWithin504(bool sendsHeaders)
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.ReadBodyAsync();
            if (sendsHeaders)
            {
                await call.BeginStreamAsync();
            }
            await call.ClientGoneAsync();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Resilience = options.Resilience with { FirstByteTimeout = TimeSpan.FromMilliseconds(100), StreamIdleTimeout = TimeSpan.FromHours(1), FailuresToOpen = 1 },
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        using var response = await world.PostAsync(Chat, Body(isStreaming: true), patience.Token);

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout");
        Assert.NotEqual(0, world.Pool.ReplicaList[0].FaultsInARow);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Silence_OfAPlainAnswer_EndsAtTheTotalLimit()
    {
        await using var engine = new ScriptedEngine(call => call.ClientGoneAsync());
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with
        {
            Resilience = options.Resilience with { TotalTimeout = TimeSpan.FromMilliseconds(100) },
        });
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));

        using var response = await world.PostAsync("/v1/messages", Body(isStreaming: false), patience.Token);

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout", isAnthropic: true);
        await world.AtRestAsync();
    }

    private static ScriptedEngine Engine(string answer) => new(async call =>
    {
        await call.ReadBodyAsync();
        await call.SendAsync(answer);
    });

    private static string Body(bool isStreaming) => isStreaming ? """{"model":"demo","messages":[],"stream":true}""" : """{"model":"demo","messages":[]}""";
}
