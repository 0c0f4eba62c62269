using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>A client that does not read slows its engine down, and fills nothing in between.</summary>
public class SlowReaderTests(ITestOutputHelper output)
{
    private const int Streams = 20;
    private const long OfferedBytes = 64L << 20;

    [Fact]
    public async Task ClientsThatDoNotRead_HoldTheEngineBackAndNotTheGatewaysMemory()
    {
        long written = 0;
        await using var engine = RawEngine.Start(async (stream, stop) =>
        {
            var frame = RawEngine.Frame(new string('x', 4_000));
            for (long sent = 0; sent < OfferedBytes; sent += frame.Length)
            {
                await stream.WriteAsync(frame, stop);
                Interlocked.Add(ref written, frame.Length);
            }
        });
        await using var served = await ServedFile.StartAsync([engine.Uri]);
        var idle = served.Process.ResidentBytes;

        var open = await Task.WhenAll(Enumerable.Range(0, Streams).Select(i => served.OpenAsync($"stream {i}")));
        var stalled = await StandstillAsync(() => Interlocked.Read(ref written));
        var grown = served.Process.ResidentBytes - idle;
        output.WriteLine($"{Streams} clients that do not read, {OfferedBytes >> 20} MiB offered to each:");
        output.WriteLine($"the engine could write {stalled / Streams / 1024} KiB per stream, the gateway grew by {grown / Streams / 1024} KiB per stream");
        foreach (var chat in open)
        {
            chat.Dispose();
        }

        // Sockets on both sides hold a few MiB each; what was offered is far more.
        Assert.InRange(stalled / Streams, 1, 24L << 20);
        Assert.InRange(grown / Streams, -(1L << 20), 2L << 20);
        await Until.HoldsAsync(() => engine.Open == 0, "the engine's streams are closed when the clients leave");
    }

    // The value at which a count stays for half a second.
    private static async Task<long> StandstillAsync(Func<long> count)
    {
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        var (last, same) = (-1L, 0);
        for (var look = 0; look < 600 && same < 10; look++)
        {
            await looks.WaitForNextTickAsync();
            var now = count();
            same = now == last ? same + 1 : 0;
            last = now;
        }
        Assert.True(same >= 10, "The engine was never held back.");
        return last;
    }
}
