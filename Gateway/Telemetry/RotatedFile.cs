namespace Gateway.Telemetry;

/// <summary>A file that is appended to, and opened anew where others have moved it away, deleted or cut it. One writer.</summary>
internal sealed class RotatedFile : Stream
{
    private const string Devices = "/dev/";

    private readonly string _path;
    private readonly FileStream? _claim;
    private FileStream _file;

    /// <exception cref="IOException">It cannot be opened, or another gateway writes it.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public RotatedFile(string path)
    {
        (_path, _file) = (path, Open(path));
        try
        {
            _claim = Claim(path, _file.CanSeek);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    // .NET appends where its last write ended. After the file was truncated that would leave a hole, and after it was renamed the lines would go to the renamed file.
    private bool HasGone => _file.CanSeek && !(new FileInfo(_path) is { Exists: true } now && now.Length >= _file.Position);

    /// <summary>Appends all of it, or nothing.</summary>
    /// <exception cref="IOException">The disk is full, or the file cannot be opened anew.</exception>
    /// <exception cref="UnauthorizedAccessException">The file that stands there now may not be written.</exception>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (HasGone)
        {
            var anew = Open(_path);
            await _file.DisposeAsync();
            _file = anew;
        }
        var start = _file.CanSeek ? _file.Position : 0;
        try
        {
            await _file.WriteAsync(buffer, cancellationToken);
        }
        catch (IOException) when (_file.CanSeek)
        {
            // On a full disk only a part of a line may have been written: the next write begins a new line.
            _file.SetLength(start);
            throw;
        }
    }

    public override void Flush() => _file.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("The file is written asynchronously.");

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        _claim?.Dispose();
        base.Dispose(disposing);
    }

    // Two writers would overwrite each other's lines, so the log is locked: by a file beside it, since a lock on the log itself would shut out its readers.
    private static FileStream? Claim(string path, bool canSeek)
    {
        // Pipes and terminals always append: they need no lock.
        if (!canSeek || Path.GetFullPath(path).StartsWith(Devices, StringComparison.Ordinal))
        {
            return null;
        }
        var claimed = path + ".lock";
        try
        {
            return new FileStream(claimed, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 1, FileOptions.DeleteOnClose);
        }
        catch (IOException taken) when (File.Exists(claimed))
        {
            throw new IOException($"telemetry.accessLog: another gateway writes \"{path}\" ({claimed} is held). Give each gateway a file of its own.", taken);
        }
        catch (Exception unclaimed) when (unclaimed is IOException or UnauthorizedAccessException)
        {
            // Only the log may be written there: its folder is another user's, or read-only, or full.
            return null;
        }
    }

    // Others may read it. Unbuffered: a buffer would keep lines that a full disk refused.
    private static FileStream Open(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
}
