using System.IO.Compression;

namespace Gateway.Replay.Traces;

/// <summary>Opens trace files. Whether one is compressed is told by its first bytes, not by its name.</summary>
internal static class TraceFiles
{
    private const int BufferBytes = 1 << 16;

    /// <exception cref="TraceException">No such file, or it may not be read.</exception>
    public static Stream Open(string path)
    {
        try
        {
            return Unpacked(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, BufferBytes, FileOptions.SequentialScan));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new TraceException($"{path}: cannot be read ({Reason(problem)}).");
        }
    }

    /// <summary>The stream itself, or what it holds where it begins as gzip does.</summary>
    /// <param name="source">Seekable; owned by the result.</param>
    public static Stream Unpacked(Stream source)
    {
        Span<byte> magic = stackalloc byte[2];
        var read = source.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false);
        source.Position = 0;
        return read == 2 && magic[0] == 0x1F && magic[1] == 0x8B ? new GZipStream(source, CompressionMode.Decompress) : source;
    }

    private static string Reason(Exception problem) => problem switch
    {
        FileNotFoundException or DirectoryNotFoundException => "no such file",
        UnauthorizedAccessException => "no permission, or a folder",
        _ => "input/output error",
    };
}
