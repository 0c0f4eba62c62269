using Gateway.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests;

public sealed class ShutdownTests
{
    [Fact]
    public async Task End_OfPartsSomeOfWhichFail_EndsAllOfThemInTheirOrderAndIsLogged()
    {
        var ended = new List<int>();
        var logs = new CapturedLogs();

        await ServerStop.EndAsync(
            [new Part(() => ended.Add(1)), new Part(() => throw new IOException("full")), null, new SlowPart(() => ended.Add(2)), new SlowPart(() => throw new IOException("full")), new Part(() => ended.Add(3))],
            logs.CreateLogger(""));

        Assert.Equal([1, 2, 3], ended);
        Assert.Equal(["The end of Part failed", "The end of SlowPart failed"], logs.Lines.Select(line => line.Text.Split(';')[0]));
        Assert.All(logs.Lines, line => Assert.Equal(LogLevel.Error, line.Level));
    }

    private sealed class Part(Action end) : IDisposable
    {
        public void Dispose() => end();
    }

    private sealed class SlowPart(Action end) : IAsyncDisposable
    {
        public async ValueTask DisposeAsync()
        {
            await Task.Yield();
            end();
        }
    }
}
