using System.Text;
using Gateway.Forwarding.Answers;

namespace Gateway.Tests.Forwarding.Answers;

public sealed class SseFrameReaderTests
{
    public static TheoryData<string, string[]> Streams => new()
    {
        { "data: {\"a\":1}\n\ndata: [DONE]\n\n", ["{\"a\":1}", "[DONE]"] },
        { "data: a\r\n\r\ndata: b\r\n\r\n", ["a", "b"] },
        { "data: a\r\rdata: b\r\r", ["a", "b"] },
        { "data: a\n\r\ndata: b\r\n\ndata: c\r\n\r", ["a", "b", "c"] },
        { "data:a\n\ndata:  b\n\ndata\n\n", ["a", " b", ""] },
        { "\uFEFFdata: a\n\ndata: b\n\n", ["a", "b"] },
        { "\uFEFFdata: a\ndata: b\n\n\uFEFFdata: c\ndata: d\n\n", ["a\nb", "d"] },
        { "data:\ndata:\n\ndata: \n\n", ["\n", ""] },
        { ": keep-alive\n\ndata: a\n\n", ["-", "a"] },
        { "\n\n\ndata: a\n\n", ["-", "-", "-", "a"] },
        { "event: response.created\nid: 7\nretry: 10\ndata: {\ndata:  \"x\":1\ndata: }\n\n", ["{\n \"x\":1\n}"] },
        { "data: one\r\ndata: two\r\ndata: three\r\n\r\n", ["one\ntwo\nthree"] },
        { "data: last\n", ["last"] },
        { "data: last", ["last"] },
        { "data: é😀\n\n", ["é😀"] },
        { "dataset: no\nevents: no\n\nerror: {\"code\":500}\n\n", ["-", "{\"code\":500}"] },
        { "event: ping\n\n", ["-"] },
        { "", [] },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void Read_HoweverTheStreamIsCut_GivesTheSameFrames(string text, string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);

        for (var first = 0; first <= bytes.Length; first++)
        {
            for (var second = first; second <= bytes.Length; second += 1 + (bytes.Length / 40))
            {
                Assert.Equal(expected, Frames(bytes, [first, second, bytes.Length]));
            }
        }

        Assert.Equal(expected, Frames(bytes, [.. Enumerable.Range(1, bytes.Length)]));
    }

    [Theory]
    [MemberData(nameof(Streams))]
    public void Read_Frames_CoverEveryByteOnce(string text, string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        var reader = new SseFrameReader(1 << 20);
        var covered = 0;
        var frames = 0;
        while (reader.Read(bytes.AsSpan(covered), isEnd: true, out var frame) == SseRead.Frame)
        {
            covered += frame.Length;
            frames++;
        }

        Assert.Equal((bytes.Length, expected.Length), (covered, frames));
    }

    [Fact]
    public void Read_FrameBeyondTheLimit_ComesInPiecesAndTheNextOneIsWhole()
    {
        for (var length = 500; length < 1_100; length++)
        {
            var text = "data: small\n\ndata: " + new string('x', length) + "\r\ndata: y\r\n\r\ndata: after\n\n";
            var packet = 1 + (length % 7 * 40);
            var reader = new SseFrameReader(256);
            var bytes = Encoding.UTF8.GetBytes(text);
            var whole = new List<string>();
            var (start, end, pieces, covered) = (0, 0, 0, 0);
            while (end < bytes.Length)
            {
                end = Math.Min(end + packet, bytes.Length);
                while (reader.Read(bytes.AsSpan(start, end - start), end == bytes.Length, out var frame) is var outcome && outcome != SseRead.NeedMore)
                {
                    pieces += outcome == SseRead.Oversized ? 1 : 0;
                    if (outcome == SseRead.Frame)
                    {
                        whole.Add(Encoding.UTF8.GetString(frame.Payload(bytes.AsSpan(start, frame.Length), default)));
                    }

                    start += frame.Length;
                    covered += frame.Length;
                }

                Assert.True(end - start <= 256 + 300, "the buffer is bounded");
            }

            Assert.Equal(["small", "after"], whole);
            Assert.Equal(bytes.Length, covered);
            Assert.True(pieces > 1);
        }
    }

    [Fact]
    public void Read_MoreBytes_DoesNotLookAtTheOldOnesAgain()
    {
        var bytes = Encoding.UTF8.GetBytes("data: " + new string('x', 100) + "\n\n");
        var reader = new SseFrameReader(1 << 20);
        Assert.Equal(SseRead.NeedMore, reader.Read(bytes.AsSpan(0, 90), isEnd: false, out _));

        // A reader that starts over finds an end of the event here; work would then grow with the square of the length.
        "\n\n"u8.CopyTo(bytes.AsSpan(20));

        Assert.Equal(SseRead.NeedMore, reader.Read(bytes.AsSpan(0, 95), isEnd: false, out _));
        Assert.Equal(SseRead.Frame, reader.Read(bytes, isEnd: false, out var frame));
        Assert.Equal(bytes.Length, frame.Length);
    }

    [Fact]
    public void Read_DrawnBytes_NeverThrowsAndEnds()
    {
        const int Seed = 11;
        var chance = new Random(Seed);
        var letters = "data: event:\r\n\n\r:xé{\"}"u8.ToArray();
        for (var round = 0; round < 5_000; round++)
        {
            var bytes = new byte[chance.Next(80)];
            for (var i = 0; i < bytes.Length; i++)
            {
                bytes[i] = letters[chance.Next(letters.Length)];
            }

            var whole = Frames(bytes, [bytes.Length]);

            Assert.True(whole.SequenceEqual(Frames(bytes, [.. Enumerable.Range(1, bytes.Length)])), $"seed {Seed}, round {round}");
        }
    }

    /// <summary>Feeds the stream so that it is known up to each of the ends in turn.</summary>
    private static List<string> Frames(byte[] bytes, int[] ends)
    {
        var reader = new SseFrameReader(1 << 20);
        var frames = new List<string>();
        var scratch = new byte[bytes.Length];
        var start = 0;
        foreach (var (end, isEnd) in ends.Select((end, i) => (end, false)).Append((bytes.Length, true)))
        {
            while (reader.Read(bytes.AsSpan(start, end - start), isEnd, out var frame) == SseRead.Frame)
            {
                var raw = bytes.AsSpan(start, frame.Length);
                frames.Add(frame.DataLines == 0 ? "-" : Encoding.UTF8.GetString(frame.Payload(raw, scratch)));
                start += frame.Length;
            }
        }

        return frames;
    }
}
