using Gateway.Requests;

namespace Gateway.Tests.Fixtures;

/// <summary>A spliced body as the bytes that an engine gets.</summary>
internal static class SplicedBytes
{
    public static byte[] Bytes(this SplicedBody spliced)
    {
        using var written = new MemoryStream();
        foreach (var segment in spliced.Segments)
        {
            written.Write(segment.Span);
        }
        Assert.Equal(spliced.Length, written.Length);
        return written.ToArray();
    }
}
