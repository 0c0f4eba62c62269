namespace Gateway.Telemetry;

/// <summary>A file that is appended to, and opened anew where others have moved it away, deleted or cut it. One writer.</summary>
internal sealed class RotatedFile : Stream
{
    private readonly string _path;
    private FileStream _file;

    /// <exception cref="IOException">It cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written.</exception>
    public RotatedFile(string path) => (_path, _file) = (path, Open(path));

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    // An append of .NET goes where the last one ended: behind a hole where the file was cut, and along with the file where it was moved.
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
            // What fitted on a full disk ends within a line.
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
        base.Dispose(disposing);
    }

    // Readers may look on. What is written is written whole: a buffer would only keep lines that a full disk refused.
    private static FileStream Open(string path) => new(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
}
