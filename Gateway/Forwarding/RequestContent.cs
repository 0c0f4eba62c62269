using System.Net;
using System.Net.Http;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>A JSON body as it goes upstream: the client's bytes with the named splices. Can be sent any number of times.</summary>
internal sealed class SplicedContent(SplicedBody body) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => body.WriteToAsync(stream, CancellationToken.None).AsTask();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        body.WriteToAsync(stream, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = body.Length;
        return true;
    }
}

/// <summary>A body that is passed on while it comes: what was read already, then the rest. Can be sent once.</summary>
internal sealed class PassingContent(SplicedBody head, Stream rest, long? length) : HttpContent
{
    private const int CopyBytes = 16 * 1024;

    /// <summary>Whether a part of the rest was taken from the client: another attempt could not send it again.</summary>
    public bool HasBegun { get; private set; }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        HasBegun = true;
        await head.WriteToAsync(stream, cancellationToken);
        await rest.CopyToAsync(stream, CopyBytes, cancellationToken);
    }

    protected override bool TryComputeLength(out long computed)
    {
        computed = length ?? 0;
        return length is not null;
    }
}
