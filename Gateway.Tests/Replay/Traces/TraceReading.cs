using System.IO.Compression;
using System.Text;
using Gateway.Replay.Traces;

namespace Gateway.Tests.Replay.Traces;

/// <summary>Writes small trace files into a folder of their own and reads them back.</summary>
public sealed class TraceReading : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("traces");

    public void Dispose() => _folder.Delete(recursive: true);

    public string Write(string name, byte[] bytes)
    {
        var path = Path.Combine(_folder.FullName, name);
        File.WriteAllBytes(path, bytes);
        return path;
    }

    public string Write(string name, params string[] lines) => Write(name, Bytes(lines));

    public List<TraceRequest> Read(params string[] lines) => ReadAs("", lines);

    /// <param name="prefix">A format and its colon, or nothing.</param>
    /// <param name="lines">The file.</param>
    public List<TraceRequest> ReadAs(string prefix, params string[] lines) => All(prefix + Write("trace.txt", lines));

    public string Refusal(params string[] lines) => RefusalAs("", lines);

    public string RefusalAs(string prefix, params string[] lines)
    {
        var path = Write("trace.txt", lines);
        return Assert.Throws<TraceException>(() => All(prefix + path)).Message;
    }

    public static List<TraceRequest> All(string spec, TraceSettings? settings = null) => [.. TraceSource.Open(spec, settings ?? new TraceSettings()).Read()];

    public static byte[] Bytes(params string[] lines) => Encoding.UTF8.GetBytes(string.Join("\n", lines) + "\n");

    public static byte[] Packed(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal))
        {
            gzip.Write(bytes);
        }

        return packed.ToArray();
    }

    /// <summary>Leading blocks that two prompts have in common.</summary>
    public static int Shared(TraceRequest one, TraceRequest other) => one.Blocks.Span.CommonPrefixLength(other.Blocks.Span);
}
