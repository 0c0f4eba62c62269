namespace Gateway.Requests;

/// <summary>A body as an ordered list of pieces: slices of the original and the bytes spliced between them. Immutable.</summary>
/// <remarks>Shares the original's memory: valid only as long as that is.</remarks>
public sealed class SplicedBody
{
    private readonly ReadOnlyMemory<byte>[] _segments;

    internal SplicedBody(ReadOnlyMemory<byte>[] segments)
    {
        _segments = segments;
        foreach (var segment in segments)
        {
            Length += segment.Length;
        }
    }

    /// <summary>A body that goes out as it came in.</summary>
    public SplicedBody(ReadOnlyMemory<byte> body)
        : this([body])
    {
    }

    /// <summary>Bytes of the whole, for <c>Content-Length</c>.</summary>
    public long Length { get; }

    /// <summary>The pieces in order; some may be empty.</summary>
    public ReadOnlySpan<ReadOnlyMemory<byte>> Segments => _segments;

    public async ValueTask WriteToAsync(Stream destination, CancellationToken cancellationToken)
    {
        foreach (var segment in _segments)
        {
            if (!segment.IsEmpty)
            {
                await destination.WriteAsync(segment, cancellationToken);
            }
        }
    }
}
