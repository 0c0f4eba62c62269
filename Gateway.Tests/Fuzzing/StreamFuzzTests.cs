using System.Text;
using System.Text.Json;
using Gateway.Forwarding;
using Gateway.Forwarding.Answers;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Fuzzing;

/// <summary>Whatever an engine streams, in whatever pieces: the client gets whole events that its parser bears, and one clear end.</summary>
public sealed class StreamFuzzTests(ITestOutputHelper output)
{
    private const int MaxFrameBytes = 4 << 10;

    private static readonly TimeSpan Long = TimeSpan.FromHours(1);

    private static readonly ApiRoute[] Routes = [ApiRoute.ChatCompletions, ApiRoute.Completions, ApiRoute.Responses, ApiRoute.Messages];

    private static readonly Mutations Streams = Mutations.Of(
        [
            ": hello\n\ndata: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"Ein\"},\"finish_reason\":null}]}\n\n"
                + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" \\u00fcber\\n\"},\"finish_reason\":null}]}\r\n\r\n"
                + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                + "data: {\"id\":\"c\",\"model\":\"up\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\ndata: [DONE]\n\n",
            "data:{\"model\":\"up\",\"choices\":[{\"index\":0,\"text\":\"a\",\"logprobs\":null}]}\r\rdata:{\"choices\":[{\"index\":0,\"text\":\"b\",\"finish_reason\":\"length\"}],\"usage\":{\"completion_tokens\":2}}\r\rdata:[DONE]\r\r",
            "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"up\"}}\n\nevent: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":\"a\"}\n\n"
                + "event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n",
            "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"up\",\"usage\":{\"input_tokens\":3}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\ndata: \"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\n"
                + "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"code\":500}}\n\ndata: [DONE]\n\n",
            "error: {\"code\":500,\"message\":\"x\"}\n\ndata: {\"object\":\"error\",\"message\":\"y\",\"code\":503}\n\n",
        ],
        "data: ", "data:", "data", "\ndata: ", "\n\n", "\r\r", "event: error\n", "id: 7\n", "retry: 1\n", ": \n", "[DONE]", "data: [DONE]\n\n", "\"delta\":", "\"finish_reason\":\"stop\"", "\"usage\":{", "\"model\":\"up\"", "\"error\":{}", "{}", "data: {}\n\n", "data: 5\n\n");

    [Fact]
    public Task Read_MutatedStreams_GivesWholeEventsAndOneEnd() => FuzzAsync(8_000, seed: 11);

    [Fact]
    [Trait("Category", "Long")]
    public Task Read_AMillionMutatedStreams_GivesWholeEventsAndOneEnd() => FuzzAsync(Fuzzer.LongCases, seed: 12);

    // Two readings of one stream, each with its buffers, the awaits of every piece, and a copy of what came out.
    private Task FuzzAsync(int cases, int seed) => new Fuzzer(output, seed) { FreeBytes = 256 << 10, BytesPerInputByte = 512 }.RunAsync(
        cases, Streams.Next, (stream, chance) =>
        {
            var route = Routes[chance.Next(Routes.Length)];
            var way = new Way(route, chance.Next(2) == 0 ? "alias" : null, chance.Next(2) == 0, chance.Next(4) == 0, chance.Next(3));
            return (One: Read(stream, chance.Next(8, 2_000), way), Other: Read(stream, chance.Next(8, 60), way));
        },
        (stream, read) =>
        {
            // An event beyond the limit passes unread, in the pieces that it came in.
            var isRead = stream.Length <= MaxFrameBytes;
            if (isRead && read.One.Continuations == 0)
            {
                Assert.Equal(read.One.Text, read.Other.Text);
                Assert.Equal(read.One, read.Other);
            }
            Check(read.One, isRead);
            Check(read.Other, isRead);
        });

    private static Passed Read(byte[] bytes, int piece, Way way)
    {
        var time = new ManualTime();
        using var clock = new AttemptClock(Long, Long, Long, time, CancellationToken.None);
        var replica = new Replica(new ReplicaOptions(), new Uri("http://10.0.0.1"), "r0", 0, new FaultLimits(3, TimeSpan.FromSeconds(1)), time);
        replica.OnProbed(ReplicaHealth.Up);
        using var reservation = replica.TryReserve(new LoadProfile(10, 10, 10, 1), 1)!;
        var answer = new Answer("m", CorePool.Cost(), null, time);
        var rules = new StreamRules(way.Route, way.Alias is null ? null : PlainAnswer.Quoted(way.Alias), way.StripsUsage, "q", MaxFrameBytes);
        var left = way.Continuations;
        using var stream = new AnswerStream(new Pieces(bytes, piece, way.Breaks), rules, answer, reservation, clock)
        {
            Sent = way.Continuations > 0 && way.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions ? new SentText() : null,
            Continue = (sent, _) => Task.FromResult(left-- > 0 ? Again(sent) : null),
        };
        AtOnce(stream.PrimeAsync(CancellationToken.None).AsTask());
        return new Passed(way.Route, way.Continuations, ReadAll(stream), stream.FailureAtStart, Essence(answer), answer.IsBroken);

        // The same events once more: the rest of an answer, or the whole of it, which then begins with what was sent.
        Continuation? Again(SentText sent)
        {
            var restarts = SentText.TryUnescape(sent.Text.Span, out var text) && left % 2 == 0;
            var frames = restarts ? new ContinuedFrames(sent.Head, 0, text) : new ContinuedFrames(sent.Head, answer.CountedTokens, []);
            return new Continuation(new HttpResponseMessage(), new Pieces(bytes, piece, way.Breaks), reservation, clock, frames);
        }
    }

    private static string ReadAll(AnswerStream stream)
    {
        var (text, buffer) = (new StringBuilder(), new byte[512]);
        var decoder = Encoding.UTF8.GetDecoder();
        var letters = new char[buffer.Length + 1];
        while (true)
        {
            var reading = stream.ReadAsync(buffer).AsTask();
            AtOnce(reading);
            var length = reading.GetAwaiter().GetResult();
            text.Append(letters, 0, decoder.GetChars(buffer, 0, length, letters, 0, flush: length == 0));
            if (length == 0)
            {
                return text.ToString();
            }
        }
    }

    private static void AtOnce(Task reading)
    {
        Assert.True(reading.IsCompleted, "The stream waits, and every byte is there.");
        reading.GetAwaiter().GetResult();
    }

    private static string Essence(Answer answer) => $"{answer.IsComplete} {answer.IsBroken} {answer.OutputTokens} {answer.Usage} {answer.MalformedFrames} {answer.Finish}";

    private static void Check(Passed passed, bool isRead)
    {
        if (passed.Failure is not null)
        {
            return;
        }
        Assert.True(passed.Text.Length == 0 || passed.Text[^1] is '\n' or '\r', "The last event is not closed.");
        var events = Events(passed.Text);
        Assert.True(!isRead || events.Count(data => data == "[DONE]") <= 1, "The sentinel comes twice.");
        foreach (var data in events.Where(data => isRead && data.Length > 0 && data != "[DONE]"))
        {
            using var json = JsonDocument.Parse(data);
        }
        if (passed.IsBroken)
        {
            Assert.Contains(events, data => data.Contains("error", StringComparison.Ordinal) || data.Contains("\"code\"", StringComparison.Ordinal));
        }
        else if (passed.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions)
        {
            Assert.Contains("[DONE]", events);
        }
    }

    // Read by lines as a client does, except that data may stand under llama.cpp's "error", too: nothing of the gateway's own reader is used.
    private static List<string> Events(string text)
    {
        var (events, data) = (new List<string>(), (string?)null);
        foreach (var line in text.Replace("\r\n", "\n", StringComparison.Ordinal).Split('\n', '\r'))
        {
            if (line.Length == 0)
            {
                events.AddRange(data is null ? [] : [data.Trim(' ', '\t', '\n')]);
                data = null;
            }
            else if (line.Split(':')[0] is "data" or "error")
            {
                var value = line.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon ? line[(colon + 1)..] : "";
                data = data is null ? value : data + "\n" + value;
            }
        }
        return events;
    }

    /// <summary>How a stream is read, and how often another engine may go on with it.</summary>
    private sealed record Way(ApiRoute Route, string? Alias, bool StripsUsage, bool Breaks, int Continuations);

    private sealed record Passed(ApiRoute Route, int Continuations, string Text, AttemptFailure? Failure, string Essence, bool IsBroken);

    /// <summary>Bytes that are there at once, at most so many a read; then the end, or a broken connection.</summary>
    private sealed class Pieces(byte[] bytes, int piece, bool breaks) : MemoryStream
    {
        private int _at;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at == bytes.Length && breaks)
            {
                return ValueTask.FromException<int>(new IOException("reset"));
            }
            var length = Math.Min(Math.Min(buffer.Length, piece), bytes.Length - _at);
            bytes.AsSpan(_at, length).CopyTo(buffer.Span);
            _at += length;
            return ValueTask.FromResult(length);
        }
    }
}
