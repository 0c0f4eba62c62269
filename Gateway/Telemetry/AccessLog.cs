using System.Buffers;
using System.Threading.Channels;
using Gateway.Learning;
using Microsoft.Extensions.Logging;

namespace Gateway.Telemetry;

/// <summary>One JSON line per request, written in the background. When the target cannot keep up the oldest lines are dropped and counted; no request waits.</summary>
public sealed partial class AccessLog : ICompletionObserver, IAsyncDisposable
{
    private const int MaxWaitingLines = 8_192;
    private const int FlushBytes = 64 * 1024;
    private static readonly TimeSpan LastFlush = TimeSpan.FromSeconds(5);

    private readonly Channel<Entry> _entries;
    private readonly Stream _target;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Func<double> _share;
    private readonly Task _writing;
    private long _droppedLines;

    /// <param name="target">Where lines go; disposed with the log.</param>
    /// <param name="time">The clock that bounds the last flush.</param>
    /// <param name="logger">Hears of a target that fails.</param>
    /// <param name="share">Share of successes that is written, asked for at each; null: all.</param>
    public AccessLog(Stream target, TimeProvider time, ILogger logger, Func<double>? share = null)
    {
        _share = share ?? (static () => 1);
        _target = target;
        _time = time;
        _logger = logger;
        var bounds = new BoundedChannelOptions(MaxWaitingLines) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true };
        _entries = Channel.CreateBounded<Entry>(bounds, _ => Interlocked.Increment(ref _droppedLines));
        _writing = Task.Run(WriteUntilTheEndAsync);
    }

    /// <summary>Lines that were lost, since the start.</summary>
    public long DroppedLines => Interlocked.Read(ref _droppedLines);

    /// <summary>Opens the log that the settings ask for.</summary>
    /// <returns>Null where it is off.</returns>
    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">The file may not be written.</exception>
    public static AccessLog? Open(TelemetryOptions options, TimeProvider time, ILogger logger, Func<double>? share = null) =>
        PathOf(options) is { } path ? new AccessLog(new RotatedFile(path), time, logger, share)
        : options.AccessLog == "stdout" ? new AccessLog(Console.OpenStandardOutput(), time, logger, share)
        : null;

    /// <summary>The file that the settings name; null: none.</summary>
    internal static string? PathOf(TelemetryOptions options) => options.AccessLog is "off" or "stdout" or "" ? null : options.AccessLog;

    /// <inheritdoc/>
    public void OnCompleted(CompletedRequest completed)
    {
        var share = completed.Outcome == RequestOutcome.Success ? _share() : 1;
        if (share < 1 && !IsSampled(completed, share))
        {
            return;
        }
        if (!_entries.Writer.TryWrite(new Entry(completed, share)))
        {
            Interlocked.Increment(ref _droppedLines);
        }
    }

    /// <summary>Writes what waits, for a few seconds at most, and closes the target.</summary>
    public async ValueTask DisposeAsync()
    {
        _entries.Writer.TryComplete();
        try
        {
            await _writing.WaitAsync(LastFlush, _time);
        }
        catch (TimeoutException)
        {
            Log.LastLinesLost(_logger, _entries.Reader.Count);
        }
        await _target.DisposeAsync();
    }

    private async Task WriteUntilTheEndAsync()
    {
        try
        {
            await WriteAllAsync();
        }
        catch (Exception failed)
        {
            // A mistake of ours: requests go on without their lines, which are counted as lost from here on.
            Log.Ended(_logger, failed);
            _entries.Writer.TryComplete();
        }
    }

    private async Task WriteAllAsync()
    {
        var buffer = new ArrayBufferWriter<byte>(FlushBytes);
        using var line = new AccessLogLine();
        var isFailing = false;
        while (await _entries.Reader.WaitToReadAsync())
        {
            var lines = 0;
            while (buffer.WrittenCount < FlushBytes && _entries.Reader.TryRead(out var entry))
            {
                line.Write(buffer, entry.Completed, entry.Share);
                lines++;
            }
            var isWritten = await TryFlushAsync(buffer.WrittenMemory);
            buffer.ResetWrittenCount();
            if (!isWritten)
            {
                Interlocked.Add(ref _droppedLines, lines);
            }
            if (isFailing == isWritten)
            {
                isFailing = !isWritten;
                Log.TargetChanged(_logger, isWritten ? "works again" : "cannot be written");
            }
        }
    }

    private async Task<bool> TryFlushAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            await _target.WriteAsync(bytes);
            await _target.FlushAsync();
            return true;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // A full disk or a closed pipe must not stop the gateway.
            return false;
        }
    }

    /// <summary>Whether a request is among the share that is written: conversations are written whole or not at all, or a log could not be replayed with its prefixes.</summary>
    internal static bool IsSampled(CompletedRequest completed, double share)
    {
        var key = completed.Request?.SessionKey ?? 0;
        if (key == 0)
        {
            foreach (var letter in completed.RequestId)
            {
                key = (key ^ letter) * 0x100000001b3;
            }
        }
        // Spreads keys that differ in a few bits over the whole range (the finaliser of SplitMix64).
        key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9;
        key = (key ^ (key >> 27)) * 0x94d049bb133111eb;
        return (key ^ (key >> 31)) < share * ulong.MaxValue;
    }

    private readonly record struct Entry(CompletedRequest Completed, double Share);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The access log {State}.")]
        public static partial void TargetChanged(ILogger logger, string state);

        [LoggerMessage(Level = LogLevel.Error, Message = "The access log ended unexpectedly; no more lines are written.")]
        public static partial void Ended(ILogger logger, Exception failed);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The access log's target did not take the last lines ({Lines}) in time.")]
        public static partial void LastLinesLost(ILogger logger, int lines);
    }
}
