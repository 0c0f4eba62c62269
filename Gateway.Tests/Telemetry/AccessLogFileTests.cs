using System.IO.Pipes;
using Gateway.Telemetry;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Telemetry;

/// <summary>The access log on real files: appended to, rotated by others, claimed, on pipes and on full disks.</summary>
public sealed class AccessLogFileTests
{
    [Fact]
    public async Task Open_APath_AppendsToTheFile()
    {
        var path = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(path, "before\n");

            var log = AccessLog.Open(new TelemetryOptions { AccessLog = path }, TimeProvider.System, NullLogger.Instance)!;
            log.OnCompleted(TelemetryWorld.Completed());
            await log.DisposeAsync();

            var lines = await File.ReadAllLinesAsync(path);
            Assert.Equal(2, lines.Length);
            Assert.Equal("before", lines[0]);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("moved")]
    [InlineData("moved, and a new one made")]
    [InlineData("deleted")]
    [InlineData("cut")]
    public async Task Open_APathThatIsRotated_GoesOnInTheFileThatStandsThere(string rotation)
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var path = Path.Combine(folder.FullName, "access.log");
            var log = AccessLog.Open(new TelemetryOptions { AccessLog = path }, TimeProvider.System, NullLogger.Instance)!;
            log.OnCompleted(TelemetryWorld.Completed("before"));
            await Until.HoldsAsync(() => File.ReadAllText(path).EndsWith('\n'), "the first line is written");

            Rotate(path, rotation);
            log.OnCompleted(TelemetryWorld.Completed("after"));
            await log.DisposeAsync();

            Assert.Contains("\"after\"", Assert.Single(await File.ReadAllLinesAsync(path)), StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Open_APathThatAnotherGatewayWrites_IsRefusedUntilThatHasStopped()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var options = new TelemetryOptions { AccessLog = Path.Combine(folder.FullName, "access.log") };
            var first = AccessLog.Open(options, TimeProvider.System, NullLogger.Instance)!;

            var refused = Assert.Throws<IOException>(() => AccessLog.Open(options, TimeProvider.System, NullLogger.Instance));
            first.OnCompleted(TelemetryWorld.Completed("first"));
            await first.DisposeAsync();
            var second = AccessLog.Open(options, TimeProvider.System, NullLogger.Instance)!;
            second.OnCompleted(TelemetryWorld.Completed("second"));
            await second.DisposeAsync();

            Assert.StartsWith($"telemetry.accessLog: another gateway writes \"{options.AccessLog}\"", refused.Message, StringComparison.Ordinal);
            Assert.Equal(2, (await File.ReadAllLinesAsync(options.AccessLog)).Length);
            Assert.Single(folder.GetFiles());
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Open_APathBesideWhichNoFileCanBeMade_Writes()
    {
        const int longestName = 255;
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            var path = Path.Combine(folder.FullName, new string('x', longestName));
            var log = AccessLog.Open(new TelemetryOptions { AccessLog = path }, TimeProvider.System, NullLogger.Instance)!;
            log.OnCompleted(TelemetryWorld.Completed());
            await log.DisposeAsync();

            Assert.Single(await File.ReadAllLinesAsync(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Open_APipe_IsWrittenBySeveralGateways()
    {
        if (!Directory.Exists("/proc/self/fd"))
        {
            return;
        }
        await using var pipe = new AnonymousPipeServerStream(PipeDirection.In);
        var options = new TelemetryOptions { AccessLog = $"/proc/self/fd/{pipe.ClientSafePipeHandle.DangerousGetHandle()}" };
        var first = AccessLog.Open(options, TimeProvider.System, NullLogger.Instance)!;
        var second = AccessLog.Open(options, TimeProvider.System, NullLogger.Instance)!;

        second.OnCompleted(TelemetryWorld.Completed("second"));
        await second.DisposeAsync();
        first.OnCompleted(TelemetryWorld.Completed("first"));
        await first.DisposeAsync();
        pipe.DisposeLocalCopyOfClientHandle();

        using var lines = new StreamReader(pipe);
        Assert.Contains("\"second\"", await lines.ReadLineAsync(), StringComparison.Ordinal);
        Assert.Contains("\"first\"", await lines.ReadLineAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Open_ADiskThatIsFull_LosesLinesAndGoesOn()
    {
        if (!File.Exists("/dev/full"))
        {
            return;
        }
        var log = AccessLog.Open(new TelemetryOptions { AccessLog = "/dev/full" }, TimeProvider.System, NullLogger.Instance)!;
        log.OnCompleted(TelemetryWorld.Completed("first"));
        log.OnCompleted(TelemetryWorld.Completed("second"));

        await log.DisposeAsync();

        Assert.Equal(2, log.DroppedLines);
    }

    [Fact]
    public void Open_Off_IsNoLog() =>
        Assert.Null(AccessLog.Open(new TelemetryOptions { AccessLog = "off" }, TimeProvider.System, NullLogger.Instance));

    private static void Rotate(string path, string rotation)
    {
        switch (rotation)
        {
            case "cut":
                new FileStream(path, FileMode.Truncate, FileAccess.Write, FileShare.ReadWrite).Dispose();
                break;
            case "deleted":
                File.Delete(path);
                break;
            default:
                File.Move(path, path + ".1");
                break;
        }
        if (rotation.EndsWith("made", StringComparison.Ordinal))
        {
            File.Create(path).Dispose();
        }
    }
}
