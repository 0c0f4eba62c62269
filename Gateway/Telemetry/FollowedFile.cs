namespace Gateway.Telemetry;

/// <summary>A file that is appended to, whatever others do to it: one that was moved away or deleted is made anew, one that was emptied is filled from its beginning. Not thread-safe.</summary>
internal sealed class FollowedFile : IAsyncDisposable
{
    private readonly string _path;
    private FileStream _file;

    /// <exception cref="IOException">The file cannot be opened.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written, or is a folder.</exception>
    public FollowedFile(string path)
    {
        _path = path;
        _file = Open();
    }

    /// <summary>The file that has the name now, at its end; valid until the next call.</summary>
    /// <exception cref="IOException">It cannot be opened any more.</exception>
    /// <exception cref="UnauthorizedAccessException">It may not be written any more.</exception>
    public Stream AtEnd()
    {
        // A pipe or a terminal is never replaced.
        if (!_file.CanSeek)
        {
            return _file;
        }
        var named = new FileInfo(_path);
        if (!named.Exists || named.Length != _file.Length)
        {
            var next = Open();
            _file.Dispose();
            _file = next;
        }
        _file.Seek(0, SeekOrigin.End);
        return _file;
    }

    public ValueTask DisposeAsync() => _file.DisposeAsync();

    // Not FileMode.Append, which holds on to the end that the file had when it was opened: what comes after it was emptied would follow a hole of that size.
    private FileStream Open() => new(_path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
}
