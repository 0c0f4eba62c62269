using System.Net;
using System.Text;
using Gateway.Forwarding;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Forwarding;

/// <summary>A stream that is cut at any byte and continued has the text, the usage and the shape of the uncut one.</summary>
public sealed class ContinuedStreamTests : IDisposable
{
    // As JSON has them: plain, escaped, raw characters of two to four bytes.
    private static readonly string[] Pieces = ["Ein", " \\u00fcber\\n", " größer", " 日本", " \\ud83d\\ude00", " x", " 😀", " \\\"q\\\\\\\"", " end"];

    private readonly ManualTime _time = new();
    private readonly AttemptClock _clock;

    public ContinuedStreamTests() => _clock = new AttemptClock(TimeSpan.FromHours(1), TimeSpan.FromHours(1), TimeSpan.FromHours(1), _time, CancellationToken.None);

    public void Dispose() => _clock.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Read_CutAtEveryByte_GivesTheUncutText(bool restarts)
    {
        var whole = Encoding.UTF8.GetBytes(Whole("first", 5, 0));
        var uncut = Text(await PassAsync(whole, restarts));
        var continued = 0;

        // Before the first event nothing was sent; behind the reason to end nothing is missing that the client waits for.
        for (var cut = Event("first", 5, Pieces[0]).Length; cut < whole.Length; cut++)
        {
            var received = await PassAsync(whole[..cut], restarts);

            var hasFinished = Encoding.UTF8.GetString(whole[..cut]).Contains("\"stop\"}]}", StringComparison.Ordinal);
            Assert.True(hasFinished ? uncut.StartsWith(Text(received), StringComparison.Ordinal) : uncut == Text(received), $"cut at {cut}: {received}");
            Assert.DoesNotContain("second", received, StringComparison.Ordinal);
            Assert.DoesNotContain("\"created\":6", received, StringComparison.Ordinal);
            Assert.EndsWith("data: [DONE]\n\n", received, StringComparison.Ordinal);
            continued += hasFinished ? 0 : 1;
        }
        Assert.True(continued > whole.Length / 2);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n")]
    public async Task Read_OfAnErrorEventThatTheEngineLeftOpen_TellsItWhole(string end)
    {
        var first = Event("first", 5, "\\ud83d") + "data: {\"error\":{\"message\":\"out of memory\",\"code\":500}}" + end;

        var received = await PassAsync(Encoding.UTF8.GetBytes(first), restarts: false);

        Assert.Equal(Event("first", 5, "\\ud83d") + "data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":\"upstream_error\"}}\n\n", received);
    }

    [Fact]
    public async Task Read_CutWithinASurrogatePair_EndsWithAnError()
    {
        var received = await PassAsync(Encoding.UTF8.GetBytes(Event("first", 5, "a") + Event("first", 5, "\\ud83d")), restarts: false);

        Assert.Contains("data: {\"error\":", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_OfACountedContinuation_MovesTheTokensFromThePromptToTheAnswer()
    {
        var first = Event("first", 5, Pieces[0]) + Event("first", 5, Pieces[1]);

        var received = await PassAsync(Encoding.UTF8.GetBytes(first), restarts: false);

        Assert.Contains("\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":9,\"total_tokens\":16,\"prompt_tokens_details\":{\"cached_tokens\":7}}", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_OfARestartThatDiffers_EndsWithAnErrorAndNothingOfIt()
    {
        var first = Event("first", 5, Pieces[0]) + Event("first", 5, " other");

        var received = await PassAsync(Encoding.UTF8.GetBytes(first), restarts: true);

        Assert.StartsWith(first + "data: {\"error\":", received, StringComparison.Ordinal);
        Assert.DoesNotContain("[DONE]", received, StringComparison.Ordinal);
    }

    [Fact]
    public void Rewrite_OfANameWithHalfASurrogatePair_ChangesOnlyWhatItKnows()
    {
        var frames = new ContinuedFrames("""{"i\ud800":1,"id":"first"}"""u8.ToArray(), 2, []);
        var payload = """{"i\ud800":0,"id":"second","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"p\udc00rompt_tokens":5}}"""u8;

        var rewritten = frames.Rewrite(payload, AnswerFrame.Read(payload));

        Assert.Equal("""{"i\ud800":0,"id":"first","choices":[{"index":0,"delta":{"content":"a"}}],"usage":{"p\udc00rompt_tokens":5}}""", Encoding.UTF8.GetString(rewritten!));
    }

    [Fact]
    public async Task Read_OfAContinuationInSeveralDataLines_GivesEventsThatParse()
    {
        var received = await PassAsync(Encoding.UTF8.GetBytes(Event("first", 5, Pieces[0])), restarts: false, beforeChoices: "\ndata: ");

        var lines = received.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.StartsWith("data: ", line, StringComparison.Ordinal));
        Assert.All(lines[..^1], line => System.Text.Json.JsonDocument.Parse(line[6..]).Dispose());
    }

    [Fact]
    public async Task Read_WhileSomebodyIsLookedFor_BeatsUntilTheEndIsKnown()
    {
        var (replica, interval) = (Replica(), TimeSpan.FromSeconds(15));
        var (asked, found) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource<Continuation?>());
        var rules = new StreamRules(ApiRoute.ChatCompletions, null, StripsUsage: false, "q", 1 << 20) { Heartbeat = new() { Interval = interval, Form = HeartbeatForm.Comment } };
        var answer = new Answer("m", CorePool.Cost(), null, _time);
        using var stream = new AnswerStream(new MemoryStream(Encoding.UTF8.GetBytes(Event("first", 5, "a"))), rules, answer, replica.TryReserve(new LoadProfile(1, 1, 1, 1), 1)!, _clock)
        {
            Sent = new SentText(),
            Continue = (_, _) =>
            {
                asked.SetResult();
                _clock.Dispose();
                return found.Task;
            },
        };
        await stream.PrimeAsync(CancellationToken.None);
        using var reader = new StreamReader(stream);

        var rest = reader.ReadToEndAsync();
        await asked.Task.ComesAsync("the break");
        for (var beats = 0; beats < 2; beats++)
        {
            await Until.HoldsAsync(() => _time.ActiveTimers == 1, "the next beat is due");
            _time.Advance(interval);
        }
        await Until.HoldsAsync(() => _time.ActiveTimers == 1, "a third beat is due");
        found.SetResult(null);
        var received = await rest.ComesAsync("the end");

        Assert.StartsWith(Event("first", 5, "a") + ": keep-alive\n\n: keep-alive\n\ndata: {\"error\":", received, StringComparison.Ordinal);
        Assert.Equal(0, _time.ActiveTimers);
    }

    private static string Whole(string id, int created, int from) =>
        string.Concat(Pieces.Skip(from).Select(piece => Event(id, created, piece)))
        + $"data: {{\"id\":\"{id}\",\"created\":{created},\"model\":\"up\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\n"
        + $"data: {{\"id\":\"{id}\",\"created\":{created},\"model\":\"up\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{7 + from},\"completion_tokens\":{Pieces.Length - from},\"total_tokens\":{7 + Pieces.Length},\"prompt_tokens_details\":{{\"cached_tokens\":{Math.Min(9, 7 + from)}}}}}}}\n\n"
        + "data: [DONE]\n\n";

    private static string Event(string id, int created, string piece) =>
        $"data: {{\"id\":\"{id}\",\"created\":{created},\"model\":\"up\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{piece}\"}},\"finish_reason\":null}}]}}\n\n";

    private static string Text(string stream)
    {
        var raw = stream.Split("\"content\":\"").Skip(1).Select(part => part[..part.IndexOf("\"},\"finish", StringComparison.Ordinal)]);
        Assert.True(SentText.TryUnescape(Encoding.UTF8.GetBytes(string.Concat(raw)), out var plain));
        var usage = stream.IndexOf("\"usage\"", StringComparison.Ordinal);
        return Encoding.UTF8.GetString(plain) + (usage < 0 ? "" : stream[usage..]);
    }

    private Replica Replica()
    {
        var replica = new Replica(new ReplicaOptions(), new Uri("http://a.test/"), "a", 0, new FaultLimits(5, TimeSpan.FromSeconds(1)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }

    private async Task<string> PassAsync(byte[] first, bool restarts, string beforeChoices = "")
    {
        var replica = Replica();
        var answer = new Answer("m", CorePool.Cost(), null, _time);
        Task<Continuation?> ContinueAsync(SentText sent, CancellationToken cancellationToken)
        {
            Assert.True(sent.IsWhole);
            if (!sent.EndsInWholeCharacter)
            {
                return Task.FromResult<Continuation?>(null);
            }
            var given = Enumerable.Range(0, Pieces.Length + 1).FirstOrDefault(count => string.Concat(Pieces.Take(count)) == Encoding.UTF8.GetString(sent.Text.Span));
            Assert.True(SentText.TryUnescape(sent.Text.Span, out var text));
            var frames = restarts ? new ContinuedFrames(sent.Head, 0, text) : new ContinuedFrames(sent.Head, answer.CountedTokens, []);
            var body = new MemoryStream(Encoding.UTF8.GetBytes(Whole("second", 6, restarts ? 0 : given).Replace("\"choices\"", beforeChoices + "\"choices\"", StringComparison.Ordinal)));
            return Task.FromResult<Continuation?>(new Continuation(new HttpResponseMessage(HttpStatusCode.OK), body, replica.TryReserve(new LoadProfile(1, 1, 1, 1), 1)!, _clock, frames));
        }
        var rules = new StreamRules(ApiRoute.ChatCompletions, null, StripsUsage: false, "q", 1 << 20);
        using var stream = new AnswerStream(new MemoryStream(first), rules, answer, replica.TryReserve(new LoadProfile(1, 1, 1, 1), 1)!, _clock)
        {
            Sent = new SentText(),
            Continue = ContinueAsync,
        };
        await stream.PrimeAsync(CancellationToken.None);
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync();
    }
}
