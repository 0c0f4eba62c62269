using System.Text;
using Gateway.Cli.Live;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Cli.Live;

public sealed class LiveStreamTests
{
    private const string Role = """data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}""" + "\n\n";
    private const string Word = """data: {"choices":[{"index":0,"delta":{"content":" a"}}]}""" + "\n\n";
    private const string Finish = """data: {"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}""" + "\n\n";
    private const string UsageOnly = """data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"prompt_tokens_details":{"cached_tokens":4}}}""" + "\n\n";
    private const string Done = "data: [DONE]\n\n";

    [Fact]
    public async Task Read_OfAWholeStream_CountsFromTheFirstToTheLastEventWithChoices()
    {
        // One piece a second: the comment and the empty choices are no token, the role is one, and usage does not make it longer.
        var (stream, failure) = await ReadAsync(": ping\n\n", """data: {"choices":[]}""" + "\n\n", Role, Word, Word, Finish, UsageOnly, Done);

        Assert.Null(failure);
        Assert.Equal((3, 6), (Second(stream.FirstAt), Second(stream.LastAt)));
        Assert.Equal((9, 7, 4), (stream.Usage.PromptTokens!.Value, stream.OutputTokens, stream.Usage.CachedTokens!.Value));
    }

    [Fact]
    public async Task Read_OfEventsInPieces_TakesTheTimeOfTheirEnd()
    {
        var (stream, failure) = await ReadAsync(Role[..10], Role[10..^1], Role[^1..] + Word[..5], Word[5..] + Finish, Done);

        Assert.Null(failure);
        Assert.Equal((3, 4), (Second(stream.FirstAt), Second(stream.LastAt)));
    }

    [Fact]
    public async Task Read_WithoutUsage_CountsTheEventsWithContent()
    {
        var (stream, _) = await ReadAsync(Role, Word, Word, Word, Finish, Done);

        Assert.Equal(3, stream.OutputTokens);
        Assert.Null(stream.Usage.PromptTokens);
    }

    [Theory]
    [InlineData("stream cut", Role + Word)]
    [InlineData("answer without choices", UsageOnly + Done)]
    [InlineData("answer without choices", "")]
    [InlineData("error in the stream", Role + "data: {\"error\":{\"message\":\"secret\",\"code\":500}}\n\n" + Done)]
    [InlineData("stream with an event that is no JSON", Role + "data: {\"choices\":[\n\n" + Finish + Done)]
    [InlineData(null, Role + Finish)]
    [InlineData(null, Role + Word + Done)]
    public async Task Read_OfAnEnding_NamesWhatIsWrong(string? expected, string text)
    {
        var (_, failure) = await ReadAsync(text);

        Assert.Equal(expected, failure);
    }

    [Fact]
    public async Task Read_OfAnEventTooLongToKeep_PassesItOver()
    {
        var piece = new string('x', 1 << 20);

        var (_, failure) = await ReadAsync([Role, "data: ", .. Enumerable.Repeat(piece, 8), "\n\n", Finish, Done]);

        Assert.Null(failure);
    }

    private static int Second(long? timestamp) => (int)new ManualTime().GetElapsedTime(new ManualTime().GetTimestamp(), timestamp!.Value).TotalSeconds;

    private static async Task<(LiveStream Stream, string? Failure)> ReadAsync(params string[] pieces)
    {
        var time = new ManualTime();
        using var body = new PacedStream(pieces, time);
        var stream = new LiveStream(time);
        return (stream, await stream.ReadAsync(body, CancellationToken.None));
    }

    /// <summary>Gives one piece a second, each as far as the reader has room.</summary>
    private sealed class PacedStream(string[] pieces, ManualTime time) : MemoryStream
    {
        private readonly Queue<byte[]> _pieces = new(pieces.Select(Encoding.UTF8.GetBytes).Where(piece => piece.Length > 0));
        private byte[] _rest = [];

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_rest.Length == 0 && _pieces.TryDequeue(out var next))
            {
                time.Advance(TimeSpan.FromSeconds(1));
                _rest = next;
            }
            var count = Math.Min(_rest.Length, buffer.Length);
            _rest.AsSpan(0, count).CopyTo(buffer.Span);
            _rest = _rest[count..];
            return ValueTask.FromResult(count);
        }
    }
}
