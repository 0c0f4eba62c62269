using System.Buffers;
using System.Net;
using System.Net.Http;
using Gateway.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Gateway.Forwarding;

/// <summary>Why a body that is passed on while it comes did not come to its end.</summary>
public enum ClientBodyFault
{
    /// <summary>More than the limit came.</summary>
    TooLarge,

    /// <summary>The client was too slow or sent broken chunks.</summary>
    Cut,

    /// <summary>The client is gone.</summary>
    Left,

    /// <summary>The form is none, or names a second model; it says so itself.</summary>
    Malformed,
}

/// <summary>What the breaking of a client's body means.</summary>
internal static class ClientBodyFaults
{
    /// <summary>Whether it broke because the client is gone.</summary>
    /// <param name="broken">How the reading ended.</param>
    /// <param name="announcedBytes">The length by the header; null: not announced.</param>
    public static bool HasLeft(IOException broken, long? announcedBytes) =>
        // A body of an announced length can be bad in no other way than to end too early. Chunks may be malformed as well.
        broken is ConnectionResetException || (announcedBytes is not null && broken is BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest });
}

/// <summary>A JSON body as it goes upstream: the client's bytes with the named splices. Can be sent any number of times.</summary>
/// <param name="body">The bytes.</param>
/// <param name="owner">Whose memory they share.</param>
internal sealed class SplicedContent(SplicedBody body, RequestBytes owner) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        owner.BeginSend();
        try
        {
            await body.WriteToAsync(stream, cancellationToken);
        }
        finally
        {
            owner.EndSend();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = body.Length;
        return true;
    }
}

/// <summary>A body that is passed on while it comes: what was read already, then the rest. Can be sent once.</summary>
/// <param name="head">What was read already, spliced.</param>
/// <param name="owner">Whose memory the head shares.</param>
/// <param name="rest">What the client still sends.</param>
/// <param name="restBytes">Most of the rest that is passed on.</param>
/// <param name="length">Of the whole; null: not announced.</param>
/// <param name="broken">Hears why the client's part could not be read to its end; a fault of the client, not of the replica.</param>
internal sealed class PassingContent(SplicedBody head, RequestBytes owner, Stream rest, long restBytes, long? length, Action<ClientBodyFault> broken) : HttpContent
{
    private const int CopyBytes = 16 * 1024;

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        await SendHeadAsync(stream, cancellationToken);
        await stream.FlushAsync(cancellationToken);
        var buffer = ArrayPool<byte>.Shared.Rent(CopyBytes);
        try
        {
            var left = restBytes;
            while (await ReadAsync(buffer, cancellationToken) is var read and > 0)
            {
                left -= read;
                if (left < 0)
                {
                    broken(ClientBodyFault.TooLarge);
                    throw new IOException("The client's body is larger than the limit.");
                }
                Check(owner.Form?.Feed(buffer.AsSpan(0, read)));
                await stream.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                // Flushed after each part: a slow upload would otherwise sit in the connection's buffer until that is full.
                await stream.FlushAsync(cancellationToken);
            }
            Check(owner.Form?.Finish());
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    // Some engines use the last of two model fields: the one that was checked must be the only one.
    private void Check(MultipartScan? scan)
    {
        if (scan == MultipartScan.Malformed)
        {
            broken(ClientBodyFault.Malformed);
            throw new IOException("The client's form is malformed.");
        }
    }

    private async Task SendHeadAsync(Stream stream, CancellationToken cancellationToken)
    {
        owner.BeginSend();
        try
        {
            await head.WriteToAsync(stream, cancellationToken);
        }
        finally
        {
            owner.EndSend();
        }
    }

    private async ValueTask<int> ReadAsync(byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            // Left standing where a limit ends the wait: then it was the client that took too long.
            owner.AwaitsClient = true;
            var read = await rest.ReadAsync(buffer, cancellationToken);
            owner.AwaitsClient = false;
            return read;
        }
        catch (IOException bad)
        {
            broken(ClientBodyFaults.HasLeft(bad, length) ? ClientBodyFault.Left : ClientBodyFault.Cut);
            throw;
        }
    }

    protected override bool TryComputeLength(out long computed)
    {
        computed = length ?? 0;
        return length is not null;
    }
}
