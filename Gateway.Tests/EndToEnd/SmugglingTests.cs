using System.Text;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Requests that no library would send: what one hop might read otherwise than the next is refused, and no engine sees it.</summary>
public sealed class SmugglingTests : IAsyncLifetime
{
    private const string Head = "POST /v1/chat/completions HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n";
    private const string Body = """{"model":"demo","messages":[]}""";
    private const string Hidden = "GET /v1/models HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n";

    private readonly ScriptedEngine _engine = new(call => call.JsonAsync("""{"id":"c"}"""));
    private GatewayWorld _world = null!;

    public async Task InitializeAsync() => _world = await GatewayWorld.BeforeAsync([_engine]);

    public async Task DisposeAsync()
    {
        await _world.AtRestAsync();
        await _world.DisposeAsync();
        await _engine.DisposeAsync();
    }

    public static TheoryData<string, string> Ambiguous() => new()
    {
        { "both lengths", $"{Head}Content-Length: {Body.Length}\r\nTransfer-Encoding: chunked\r\n\r\n{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "both lengths, the other way round", $"{Head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "two lengths", $"{Head}Content-Length: {Body.Length}\r\nContent-Length: 5\r\n\r\n{Body}{Hidden}" },
        { "a list of lengths", $"{Head}Content-Length: {Body.Length}, 5\r\n\r\n{Body}{Hidden}" },
        { "a negative length", $"{Head}Content-Length: -1\r\n\r\n{Body}{Hidden}" },
        { "a length beyond all numbers", $"{Head}Content-Length: 99999999999999999999\r\n\r\n{Body}{Hidden}" },
        { "a space before the colon", $"{Head}Content-Length : {Body.Length}\r\n\r\n{Body}{Hidden}" },
        { "an unknown coding", $"{Head}Transfer-Encoding: xchunked\r\n\r\n{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "chunked not last", $"{Head}Transfer-Encoding: chunked, identity\r\n\r\n{Body.Length:x}\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "a chunk beyond all numbers", $"{Head}Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "a chunk that is no number", $"{Head}Transfer-Encoding: chunked\r\n\r\nzz\r\n{Body}\r\n0\r\n\r\n{Hidden}" },
        { "a chunk without its end", $"{Head}Transfer-Encoding: chunked\r\n\r\n{Body.Length:x}\r\n{Body}XX0\r\n\r\n{Hidden}" },
        { "a folded header", $"{Head}X-Folded: a\r\n b: c\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "a bare CR in a header", $"{Head}X-Bare: a\rContent-Length: 3\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "a zero byte in a header", $"{Head}X-Zero: a\0b\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "two hosts", $"{Head}Host: other\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "no host", $"POST /v1/chat/completions HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "headers without end", $"{Head}X-Long: {new string('a', 40_000)}\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "too many headers", Head + string.Concat(Enumerable.Range(0, 200).Select(i => $"X-{i}: a\r\n")) + $"Content-Length: {Body.Length}\r\n\r\n{Body}" },
        { "a target without end", $"POST /v1/chat/completions?{new string('a', 20_000)} HTTP/1.1\r\nHost: g\r\nContent-Length: {Body.Length}\r\n\r\n{Body}" },
        { "another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
    };

    [Theory, MemberData(nameof(Ambiguous))]
    public async Task Request_OfTwoReadings_IsRefusedAndTheConnectionClosed(string what, string request)
    {
        var answer = await RawAsync(request);

        // A refusal, a closed connection, or the farewell of HTTP/2.
        Assert.True(!answer.StartsWith("HTTP/1.1", StringComparison.Ordinal) || answer.StartsWith("HTTP/1.1 4", StringComparison.Ordinal) || answer.StartsWith("HTTP/1.1 5", StringComparison.Ordinal), $"{what}: {answer}");
        Assert.True(answer.Split("HTTP/1.1 ").Length <= 2, $"{what} was answered twice: {answer}");
        Assert.Empty(_engine.Calls);
    }

    [Theory]
    [InlineData("GET", "http://engine/flush_cache")]
    [InlineData("GET", "/v1/models/../../flush_cache")]
    [InlineData("GET", "/%2e%2e/flush_cache")]
    [InlineData("GET", "/v1/responses/%2e%2e%2fflush_cache")]
    [InlineData("POST", "/v1/chat/completions;/../flush_cache")]
    [InlineData("POST", "/v1/chat/completions%00")]
    [InlineData("POST", "/v1\\chat\\completions")]
    public async Task Target_WithTricks_ReachesNoEngine(string method, string target)
    {
        var answer = await RawAsync($"{method} {target} HTTP/1.1\r\nHost: g\r\nX-HTTP-Method-Override: POST\r\nX-Original-URL: /flush_cache\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 4", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    // As Java's and curl's clients offer to go on in HTTP/2.
    [Theory]
    [InlineData("h2c")]
    [InlineData("websocket")]
    public async Task Upgrade_OfferedWithABody_IsPassedOver(string protocol)
    {
        var answer = await RawAsync($"{Head}Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: {protocol}\r\nHTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls.Single().Header("Upgrade"));
    }

    // What unpacks to gigabytes is refused unread: nothing is unpacked here.
    [Theory]
    [InlineData("gzip")]
    [InlineData("deflate")]
    [InlineData("br")]
    [InlineData("zstd")]
    [InlineData("gzip, gzip")]
    public async Task Body_Compressed_IsRefusedUnread(string coding)
    {
        var answer = await RawAsync($"{Head}Content-Encoding: {coding}\r\nConnection: close\r\nContent-Length: 30\r\n\r\n{new string('\u0001', 30)}");

        Assert.StartsWith("HTTP/1.1 415", answer, StringComparison.Ordinal);
        Assert.Contains("unsupported_media_type", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls);
    }

    [Fact]
    public async Task RequestId_WithLineBreaks_CannotSplitTheEnginesRequest()
    {
        var answer = await RawAsync($"{Head}x-request-id: a%0d%0aX-Evil: 1\r\nConnection: close\r\nContent-Length: {Body.Length}\r\n\r\n{Body}");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
        Assert.Empty(_engine.Calls[^1].Header("X-Evil"));
        Assert.Matches("^[0-9a-f]{32}$", _engine.Calls[^1].Header("x-request-id").Single());
    }

    private async Task<string> RawAsync(string request)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            return await RawClient.ExchangeAsync(new Uri(_world.Server.Urls[0]), Encoding.Latin1.GetBytes(request), patience.Token);
        }
        catch (IOException)
        {
            // Closed with bytes still unread: a reset, which may overtake the answer.
            return "";
        }
    }
}
