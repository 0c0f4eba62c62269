using Gateway.Estimation;
using Microsoft.Extensions.Logging;

namespace Gateway;

/// <summary>The file that keeps what the estimator learned: read at the start, written whole from time to time and at the end.</summary>
internal sealed partial class SnapshotFile : IAsyncDisposable
{
    private readonly string _path;
    private readonly Func<IOutputLengthEstimator> _lengths;
    private readonly ulong _hashKey;
    private readonly ILogger _log;
    private readonly PeriodicTimer _timer;
    private readonly Task _writing;

    private SnapshotFile(EstimationOptions options, Func<IOutputLengthEstimator> lengths, ulong hashKey, TimeProvider time, ILogger log)
    {
        (_path, _lengths, _hashKey, _log) = (options.SnapshotPath, lengths, hashKey, log);
        _timer = new PeriodicTimer(options.SnapshotInterval, time);
        _writing = WriteFromTimeToTimeAsync();
    }

    /// <summary>What the file holds; nothing where there is none, or none that can be used, which is logged.</summary>
    public static Restored Read(EstimationOptions options, ILogger log)
    {
        if (options.SnapshotPath == EstimationOptions.SnapshotOff || !File.Exists(options.SnapshotPath))
        {
            return new Restored([], null, log);
        }
        try
        {
            using var file = File.OpenRead(options.SnapshotPath);
            var bytes = new byte[Math.Min(file.Length, LengthSnapshot.MaxBytes)];
            file.ReadExactly(bytes);
            var hashKey = file.Length > bytes.Length ? null : LengthSnapshot.HashKeyOf(bytes);
            if (hashKey is null)
            {
                Log.Unusable(log);
            }
            return new Restored(bytes, hashKey, log);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            Log.Unreadable(log, refused.GetType().Name);
            return new Restored([], null, log);
        }
    }

    /// <summary>Writes from now on; null where no file is wanted.</summary>
    public static SnapshotFile? KeepWriting(EstimationOptions options, Func<IOutputLengthEstimator> lengths, ulong hashKey, TimeProvider time, ILogger log) =>
        options.SnapshotPath == EstimationOptions.SnapshotOff ? null : new SnapshotFile(options, lengths, hashKey, time, log);

    /// <summary>Writes once more and ends.</summary>
    public async ValueTask DisposeAsync()
    {
        _timer.Dispose();
        await _writing;
        Write();
    }

    private async Task WriteFromTimeToTimeAsync()
    {
        while (await _timer.WaitForNextTickAsync())
        {
            Write();
        }
    }

    // Written under another name and then renamed, so that a start never reads half a file. It holds the key of the hashes: only its owner may read it.
    private void Write()
    {
        try
        {
            if (LengthSnapshot.Write(_lengths(), _hashKey) is not { } bytes)
            {
                return;
            }
            var beside = _path + ".part";
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }
            using (var file = new FileStream(beside, options))
            {
                file.Write(bytes);
            }
            File.Move(beside, _path, overwrite: true);
        }
        catch (Exception refused)
        {
            // Whatever it was: what is not written now may be written the next time, and nobody else would hear of it.
            Log.NotWritten(_log, refused.GetType().Name);
        }
    }

    /// <summary>What was read of the file.</summary>
    /// <param name="Bytes">Its bytes.</param>
    /// <param name="HashKey">The key under which it was learned; null: not usable.</param>
    /// <param name="Log">Where warnings go.</param>
    internal sealed record Restored(byte[] Bytes, ulong? HashKey, ILogger Log)
    {
        /// <summary>Gives a fresh estimator what was read, if it was learned under this key.</summary>
        public void Restore(IOutputLengthEstimator estimator, ulong hashKey)
        {
            if (HashKey is { } learnedUnder && learnedUnder != hashKey)
            {
                SnapshotFile.Log.OtherKey(Log);
            }
            else if (HashKey is not null && !LengthSnapshot.TryRead(Bytes, estimator))
            {
                SnapshotFile.Log.Unusable(Log);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of learned lengths is damaged, of another version or of another estimator; it is ignored.")]
        public static partial void Unusable(ILogger logger);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of learned lengths was written under another hash key than the one of redis; it is ignored.")]
        public static partial void OtherKey(ILogger logger);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of learned lengths cannot be read ({Reason}); learning starts anew.")]
        public static partial void Unreadable(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "The snapshot of learned lengths cannot be written ({Reason}).")]
        public static partial void NotWritten(ILogger logger, string reason);
    }
}
