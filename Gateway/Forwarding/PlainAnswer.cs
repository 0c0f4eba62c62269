using System.Buffers;
using System.Net;
using System.Net.Http;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Forwarding.Answers;

namespace Gateway.Forwarding;

/// <summary>Reads a plain answer whole before a byte of it goes out, so that a cut or senseless one can still become a retry or a clear error.</summary>
internal static class PlainAnswer
{
    /// <summary>The beginning of a body, or all of it.</summary>
    /// <param name="Bytes">What was read.</param>
    /// <param name="IsWhole">Whether the body ended within the limit.</param>
    public readonly record struct Beginning(byte[] Bytes, bool IsWhole);

    /// <summary>Reads up to a limit.</summary>
    /// <exception cref="IOException">The body was cut.</exception>
    public static async ValueTask<Beginning> ReadAsync(Stream body, long maxBytes, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(4096);
        var length = 0;
        try
        {
            while (true)
            {
                if (length == buffer.Length)
                {
                    if (length >= maxBytes)
                    {
                        return new Beginning(buffer.AsSpan(0, length).ToArray(), IsWhole: false);
                    }
                    var larger = ArrayPool<byte>.Shared.Rent(2 * length);
                    buffer.AsSpan(0, length).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(buffer);
                    buffer = larger;
                }
                var read = await body.ReadAsync(buffer.AsMemory(length), cancellationToken);
                if (read == 0)
                {
                    return new Beginning(buffer.AsSpan(0, length).ToArray(), IsWhole: true);
                }
                length += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>The body as the client sees it: the same bytes, but for the model's name.</summary>
    public static byte[] Rename(byte[] body, in AnswerFacts facts, byte[]? publicModel)
    {
        if (publicModel is null || (facts.ModelValue ?? facts.NestedModelValue) is not { } place)
        {
            return body;
        }
        return [.. body.AsSpan(0, place.Start.Value), .. publicModel, .. body.AsSpan(place.End.Value)];
    }

    /// <summary>A name as it stands in JSON.</summary>
    public static byte[] Quoted(string name) => Encoding.UTF8.GetBytes(
        $"\"{JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping)}\"");
}

/// <summary>A body for the client made of what was read and, where there is one, the rest of the engine's stream.</summary>
internal sealed class PassedContent : HttpContent
{
    private readonly Stream _stream;

    /// <param name="stream">What the client gets.</param>
    /// <param name="length">Its length; null: unknown, sent in chunks.</param>
    /// <param name="headers">The engine's content headers; its length and coding are the gateway's own.</param>
    public PassedContent(Stream stream, long? length, HttpContent headers)
    {
        _stream = stream;
        foreach (var (name, values) in headers.Headers.NonValidated)
        {
            if (!name.Equals("Content-Length", StringComparison.OrdinalIgnoreCase))
            {
                foreach (var value in values)
                {
                    Headers.TryAddWithoutValidation(name, value);
                }
            }
        }
        Headers.ContentLength = length;
    }

    protected override Task<Stream> CreateContentReadStreamAsync() => Task.FromResult(_stream);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _stream.CopyToAsync(stream);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    protected override void Dispose(bool disposing)
    {
        _stream.Dispose();
        base.Dispose(disposing);
    }
}
