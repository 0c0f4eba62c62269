using System.Text;
using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Forwarding;

public sealed partial class AnswerStreamTests : IDisposable
{
    private const string Plain =
        ": hello\n\n"
        + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Ein\"},\"finish_reason\":null}]}\n\n"
        + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" \\u00fcber\\n\"},\"finish_reason\":null}]}\r\n\r\n"
        + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
        + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n"
        + "data: [DONE]\n\n";

    private readonly ManualTime _time = new();
    private readonly AttemptClock _clock;
    private readonly ITestOutputHelper _output;
    private Answer _answer = null!;

    public static TheoryData<int> Chunkings => [1, 2, 3, 7, 64, 5_000];

    public AnswerStreamTests(ITestOutputHelper output)
    {
        _output = output;
        _clock = new AttemptClock(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(20), TimeSpan.FromHours(1), _time, CancellationToken.None);
    }

    public void Dispose() => _clock.Dispose();

    [Theory, MemberData(nameof(Chunkings))]
    public async Task Read_OfAWholeStream_PassesEveryByteHoweverItCame(int chunk)
    {
        var received = await PassAsync(Cut(Plain, chunk));

        Assert.Equal(Plain, received);
        Assert.Equal((true, false, 2, 7), (_answer.IsComplete, _answer.IsBroken, _answer.OutputTokens, _answer.Usage.PromptTokens!.Value));
    }

    [Theory, MemberData(nameof(Chunkings))]
    public async Task Read_WithAliasAndOwnUsage_SplicesExactlyThose(int chunk)
    {
        var expected = Plain.Replace("\"up\"", "\"alias\"", StringComparison.Ordinal);
        expected = expected[..expected.IndexOf("data: {\"id\":\"c\",\"model\":\"alias\",\"choices\":[],", StringComparison.Ordinal)] + "data: [DONE]\n\n";

        var received = await PassAsync(Cut(Plain, chunk), alias: "alias", stripsUsage: true);

        Assert.Equal(expected, received);
        Assert.Equal(2, _answer.Usage.OutputTokens);
    }

    [Fact]
    public async Task Read_WithOwnUsage_LeavesTheNullsThatEnginesWriteUnasked()
    {
        var withNulls = Plain.Replace("}]}\n\n", "}],\"usage\":null}\n\n", StringComparison.Ordinal);

        var received = await PassAsync(Cut(withNulls, 5_000), stripsUsage: true);

        Assert.Equal(withNulls.Replace(withNulls.Split("\n\n")[^3] + "\n\n", "", StringComparison.Ordinal), received);
        Assert.Contains("\"usage\":null", received, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Read_CutAtAnyByte_EndsWithWholeEvents(int seed)
    {
        _output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var bytes = Encoding.UTF8.GetBytes(Plain);
        for (var i = 0; i < 60; i++)
        {
            var length = chance.Next(60, bytes.Length);
            var received = await PassAsync([.. bytes[..length].Chunk(chance.Next(1, 90))]);

            foreach (var line in received.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Where(line => !line.StartsWith(':')))
            {
                Assert.StartsWith("data: ", line, StringComparison.Ordinal);
                Assert.True(line == "data: [DONE]" || IsJson(line[6..]), $"cut at {length}: {line}");
            }
            Assert.True(received.EndsWith("\n\n", StringComparison.Ordinal), $"cut at {length}");
            Assert.Equal(_answer.IsBroken, received.Contains("upstream_stream_truncated", StringComparison.Ordinal));
            Assert.NotEqual(_answer.IsBroken, received.Contains("[DONE]", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData("", "\n\n")]
    [InlineData("\n", "\n")]
    [InlineData("\r", "\n\n")]
    [InlineData("\r\n", "\n")]
    public async Task Read_CutBehindAnOpenEvent_ClosesItBeforeTheErrorEvent(string end, string closing)
    {
        var open = "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}" + end;

        var received = await PassAsync([Encoding.UTF8.GetBytes(open)]);

        Assert.StartsWith(open + closing + "data: {\"error\"", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_FinishedButForTheSentinel_SuppliesIt()
    {
        var stream = Plain.Replace("data: [DONE]\n\n", "", StringComparison.Ordinal);

        Assert.Equal(Plain, await PassAsync(Cut(stream, 100)));
        Assert.True(_answer.IsComplete);
    }

    [Fact]
    public async Task Read_WithOneOfTwoAnswersFinished_IsCut()
    {
        var stream = Plain.Replace("data: [DONE]\n\n", "", StringComparison.Ordinal);

        var received = await PassAsync(Cut(stream, 100), sequences: 2);

        Assert.Contains("upstream_stream_truncated", received, StringComparison.Ordinal);
        Assert.True(_answer.IsBroken);
    }

    [Fact]
    public async Task Read_OfAMalformedFrame_DropsItAndDeliversTheRest()
    {
        var received = await PassAsync(Cut(Plain.Replace(": hello\n\n", "data: {\"id\":\n\n", StringComparison.Ordinal), 50));

        Assert.Equal(Plain.Replace(": hello\n\n", "", StringComparison.Ordinal), received);
        Assert.Equal((1, true), (_answer.MalformedFrames, _answer.IsComplete));
    }

    [Fact]
    public async Task Read_OfAnEventBeyondTheLimit_PassesItUnread()
    {
        var large = $"data: {{\"id\":\"c\",\"x\":\"{new string('y', 20_000)}\"}}\n\n";

        var received = await PassAsync(Cut(large + Plain, 333), maxFrameBytes: 1_024);

        Assert.Equal(large + Plain, received);
    }

    [Fact]
    public async Task Read_OfABrokenConnection_EndsWithAnErrorEvent()
    {
        var received = await PassAsync(Cut(Plain[..200], 50), fault: new IOException("reset"));

        Assert.Contains("upstream_stream_broken", received, StringComparison.Ordinal);
        Assert.EndsWith("\n\n", received, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Read_OfASilentEngine_EndsAfterTheIdleLimit()
    {
        var upstream = new ScriptedStream(Cut(Plain[..200], 200), hangs: true);
        await using var stream = Stream(upstream);
        var reading = ReadAllAsync(stream);

        await _time.AdvanceUntilAsync(reading, TimeSpan.FromSeconds(5), "the idle limit");

        Assert.Contains("upstream_timeout", await reading, StringComparison.Ordinal);
        Assert.True(_clock.HasExpired);
    }

    [Fact]
    public async Task Read_OfAnEngineThatStaysOpenBehindItsLastWord_EndsSoonAndWhole()
    {
        var upstream = new ScriptedStream(Cut(Plain.Replace("data: [DONE]\n\n", "", StringComparison.Ordinal), 5_000), hangs: true);
        await using var stream = Stream(upstream);
        await stream.PrimeAsync(CancellationToken.None);
        var events = new byte[5_000];
        var count = await stream.ReadAsync(events);

        var last = stream.ReadAsync(events.AsMemory(count)).AsTask();
        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(Plain, Encoding.UTF8.GetString(events, 0, count + await last));
        Assert.True(_answer is { IsComplete: true, IsBroken: false });
    }

    [Theory]
    [InlineData(0, null)]
    [InlineData(200, "data: {\"error\":{\"message\":\"The request's own deadline has passed before this answer was whole. Allow more time, or ask for less.\",\"type\":\"timeout_error\",\"param\":null,\"code\":\"deadline_exceeded\"}}\n\n")]
    public async Task Read_BeyondTheRequestsOwnDeadline_SaysThatItWasThat(int sent, string? end)
    {
        using var clock = new AttemptClock(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(4), _time, CancellationToken.None) { IsTotalDeadline = true };
        await using var stream = Stream(new ScriptedStream(Cut(Plain[..sent], 200), hangs: true), clock: clock);
        var reading = ReadAllAsync(stream);

        await _time.AdvanceUntilAsync(reading, TimeSpan.FromSeconds(1), "the deadline");

        Assert.EndsWith(end ?? "", await reading, StringComparison.Ordinal);
        Assert.Equal(end is null ? FailureKind.DeadlineExceeded : null, stream.FailureAtStart?.Kind);
    }

    [Theory]
    [InlineData("{\"error\":{\"message\":\"out of memory in /opt/x.py\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}}", "server_error", "upstream_error")]
    [InlineData("{\"object\":\"error\",\"message\":\"out of memory in /opt/x.py\",\"type\":\"InternalServerError\",\"param\":null,\"code\":500}", "server_error", "upstream_error")]
    [InlineData("{\"error\":\"out of memory in /opt/x.py\",\"error_type\":\"generation\"}", "server_error", "upstream_error")]
    [InlineData("{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"out of memory in /opt/x.py\"}}", "server_error", "upstream_error")]
    [InlineData("{\"error\":{\"message\":\"out of memory in /opt/x.py\",\"type\":\"BadRequestError\",\"code\":\"bad_grammar\"}}", "invalid_request_error", "bad_grammar")]
    public async Task Read_OfAnErrorInAnEnginesOwnForm_TellsItInTheApis(string error, string type, string code)
    {
        var begin = Plain[..Plain.IndexOf("data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{}", StringComparison.Ordinal)];

        var received = await PassAsync(Cut($"{begin}data: {error}\n\ndata: [DONE]\n\n", 300));

        Assert.Equal($"{begin}data: {{\"error\":{{\"message\":\"out of memory in [path]\",\"type\":\"{type}\",\"param\":null,\"code\":\"{code}\"}}}}\n\ndata: [DONE]\n\n", received);
        Assert.True(_answer.IsBroken);
    }

    [Fact]
    public async Task Prime_OfAnErrorAtTheStart_IsAFailureAndNoStream()
    {
        await using var stream = Stream(new ScriptedStream(Cut("data: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"code\":500}}\n\ndata: [DONE]\n\n", 20)));

        await stream.PrimeAsync(CancellationToken.None);

        Assert.Equal(FailureKind.EngineError, stream.FailureAtStart!.Kind);
    }

    [Fact]
    public async Task Prime_OfAnEmptyStream_IsAFailure()
    {
        await using var stream = Stream(new ScriptedStream([]));

        await stream.PrimeAsync(CancellationToken.None);

        Assert.Equal(FailureKind.BodyIncomplete, stream.FailureAtStart!.Kind);
    }

    [Fact]
    public async Task Read_IntoNoBuffer_WaitsForBytesAndTakesNone()
    {
        await using var stream = Stream(new ScriptedStream(Cut(Plain, 10)));

        var none = await stream.ReadAsync(Memory<byte>.Empty);

        Assert.Equal(0, none);
        Assert.Equal(Plain, await ReadAllAsync(stream));
    }

    [Fact]
    public async Task Read_WhileWaiting_AsksWithoutABufferFirst()
    {
        var upstream = new ScriptedStream(Cut(Plain, 5_000));
        await using var stream = Stream(upstream);

        await ReadAllAsync(stream);

        Assert.Equal([0, 0], upstream.AskedFor.Where((_, i) => i % 2 == 0));
        Assert.All(upstream.AskedFor.Where((_, i) => i % 2 == 1), length => Assert.InRange(length, 1, 8_192));
    }

    [Fact]
    public async Task Read_ByAClientThatTakesItsTime_IsNoSilenceOfTheEngine()
    {
        await using var stream = Stream(new ScriptedStream(Cut(Plain, 200)));
        await stream.PrimeAsync(CancellationToken.None);
        var start = new byte[200];
        await stream.ReadExactlyAsync(start);

        _time.Advance(TimeSpan.FromMinutes(5));
        using var rest = new MemoryStream();
        await stream.CopyToAsync(rest);

        Assert.False(_clock.HasExpired);
        Assert.Equal(Plain, Encoding.UTF8.GetString([.. start, .. rest.ToArray()]));
    }

    private static bool IsJson(string text)
    {
        try
        {
            using var json = System.Text.Json.JsonDocument.Parse(text);
            return true;
        }
        catch (System.Text.Json.JsonException)
        {
            return false;
        }
    }

    private static List<byte[]> Cut(string text, int chunk) => [.. Encoding.UTF8.GetBytes(text).Chunk(chunk)];

    private async Task<string> PassAsync(
        List<byte[]> pieces, string? alias = null, bool stripsUsage = false, int sequences = 1, int maxFrameBytes = 1 << 20, Exception? fault = null)
    {
        await using var stream = Stream(new ScriptedStream(pieces, fault), alias, stripsUsage, sequences, maxFrameBytes);
        return await ReadAllAsync(stream);
    }

    private AnswerStream Stream(
        ScriptedStream upstream, string? alias = null, bool stripsUsage = false, int sequences = 1, int maxFrameBytes = 1 << 20, ApiRoute? route = null, AttemptClock? clock = null)
    {
        var replica = new Replica(new ReplicaOptions(), new Uri("http://10.0.0.1"), "r0", 0, new FaultLimits(3, TimeSpan.FromSeconds(1)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        var reservation = replica.TryReserve(new LoadProfile(10, 10, 10, 1), 1)!;
        _answer = new Answer("m", CorePool.Cost(sequences: sequences), null, _time);
        var rules = new StreamRules(route ?? ApiRoute.ChatCompletions, alias is null ? null : PlainAnswer.Quoted(alias), stripsUsage, "q", maxFrameBytes);
        return new AnswerStream(upstream, rules, _answer, reservation, clock ?? _clock);
    }

    private static async Task<string> ReadAllAsync(AnswerStream stream)
    {
        await stream.PrimeAsync(CancellationToken.None);
        using var all = new MemoryStream();
        await stream.CopyToAsync(all, 777);
        return Encoding.UTF8.GetString(all.ToArray());
    }

    /// <summary>An engine's body that comes in given pieces, then ends, breaks or hangs.</summary>
    private sealed class ScriptedStream(List<byte[]> pieces, Exception? fault = null, bool hangs = false) : MemoryStream
    {
        private int _piece;
        private int _offset;

        public List<int> AskedFor { get; } = [];

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            AskedFor.Add(buffer.Length);
            if (_piece == pieces.Count)
            {
                if (hangs)
                {
                    var gone = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
                    await using var registration = cancellationToken.Register(() => gone.TrySetCanceled(cancellationToken));
                    return await gone.Task;
                }
                return fault is null ? 0 : throw fault;
            }
            var count = Math.Min(buffer.Length, pieces[_piece].Length - _offset);
            pieces[_piece].AsSpan(_offset, count).CopyTo(buffer.Span);
            _offset += count;
            if (_offset == pieces[_piece].Length)
            {
                (_piece, _offset) = (_piece + 1, 0);
            }
            return count;
        }
    }
}
