using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>What open streams cost one gateway process.</summary>
public class ManyStreamsTests(ITestOutputHelper output)
{
    [Fact]
    [Trait("Category", "Long")]
    public async Task TwoThousandSlowStreams_AreAllServedToTheirEnd()
    {
        const int Streams = 2_000;
        const int Chunks = 20;
        var figures = await ServeAsync(Streams, Chunks, TimeSpan.FromSeconds(1));

        output.WriteLine($"{Streams} streams of {Chunks} chunks, one a second each: all whole.");
        output.WriteLine($"Resident memory: idle {figures.IdleBytes >> 20} MiB, with all open {figures.OpenBytes >> 20} MiB.");
        output.WriteLine($"Memory per stream: {(figures.OpenBytes - figures.IdleBytes) / Streams / 1024.0:0.0} KiB.");
        Assert.InRange((figures.OpenBytes - figures.IdleBytes) / Streams, 0, 256 * 1024);
    }

    [Fact]
    public Task TwoHundredStreams_AreAllServedToTheirEnd() => ServeAsync(200, 8, TimeSpan.FromMilliseconds(100));

    private static async Task<(long IdleBytes, long OpenBytes)> ServeAsync(int streams, int chunks, TimeSpan pause)
    {
        var begun = 0;
        await using var engine = RawEngine.Start(async (stream, stop) =>
        {
            // The first stream only warms the process up.
            var length = Interlocked.Increment(ref begun) == 1 ? 1 : chunks;
            var frame = RawEngine.Frame(" word");
            using var pace = new PeriodicTimer(pause);
            for (var i = 0; i < length; i++)
            {
                await stream.WriteAsync(frame, stop);
                await pace.WaitForNextTickAsync(stop);
            }
            await stream.WriteAsync(RawEngine.LastFrames(), stop);
        });
        await using var served = await ServedFile.StartAsync([engine.Uri]);
        await WarmUpAsync(served);
        var idle = served.Process.ResidentBytes;

        var lines = 0;
        var reading = new List<Task<ChatReply>>();
        for (var i = 0; i < streams; i += 50)
        {
            var opened = await Task.WhenAll(Enumerable.Range(i, 50).Select(number => served.OpenAsync($"stream {number}")));
            reading.AddRange(opened.Select(chat => chat.ReadAsync(() => Interlocked.Increment(ref lines))));
        }
        await Until.HoldsAsync(() => engine.Open == streams, "every stream is open at once");
        var seen = Volatile.Read(ref lines);
        // Two more chunks of every stream, each line of text being followed by an empty one.
        await Until.HoldsAsync(() => Volatile.Read(ref lines) >= seen + (4 * streams), "every stream goes on");
        var open = served.Process.ResidentBytes;
        Assert.Equal(streams, engine.Open);

        var replies = await Task.WhenAll(reading).ComesAsync("the end of every stream", TimeSpan.FromMinutes(2));

        Assert.All(replies, reply => Assert.Equal(ChatEnd.Done, reply.End));
        Assert.All(replies, reply => Assert.Equal(5 * chunks, reply.Text.Length));
        Assert.Equal(streams, await served.Client.MetricAsync("gateway_requests_total", "code=\"200\"") - 1);
        return (idle, open);
    }

    private static async Task WarmUpAsync(ServedFile served)
    {
        using var chat = await served.OpenAsync("warm up");
        Assert.Equal(ChatEnd.Done, (await chat.ReadAsync().ComesAsync("the first stream", TimeSpan.FromMinutes(1))).End);
    }
}
