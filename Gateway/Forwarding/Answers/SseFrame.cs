namespace Gateway.Forwarding.Answers;

/// <summary>Where the parts of one server-sent event stand. Offsets count from the event's first byte.</summary>
public readonly record struct SseFrame
{
    /// <summary>Bytes of the whole event, the blank line included.</summary>
    public int Length { get; init; }

    /// <summary>Lines with the field <c>data</c>; 0 for a comment, a heartbeat or an event without data.</summary>
    public int DataLines { get; init; }

    /// <summary>First byte of the first data line's value.</summary>
    public int DataStart { get; init; }

    /// <summary>Behind the last data line's value. With one line the value is the whole payload.</summary>
    public int DataEnd { get; init; }

    /// <summary>The value of the single data line, or its lines joined by a line feed.</summary>
    /// <param name="frame">The event's bytes.</param>
    /// <param name="scratch">Used when there are several lines; as long as the event is enough.</param>
    /// <remarks>With one line, offsets into the payload become offsets into the event by adding <see cref="DataStart"/>.</remarks>
    public ReadOnlySpan<byte> Payload(ReadOnlySpan<byte> frame, Span<byte> scratch)
    {
        if (DataLines <= 1)
        {
            return frame[DataStart..DataEnd];
        }

        // The first line is known; the others are found again, since an event of many lines is rare.
        var rest = frame[DataStart..DataEnd];
        var written = 0;
        for (var isFirst = true; !rest.IsEmpty; isFirst = false)
        {
            var end = rest.IndexOfAny((byte)'\r', (byte)'\n');
            var line = end < 0 ? rest : rest[..end];
            rest = end < 0 ? default : rest[(end + 1)..];
            var value = 0;
            if (!isFirst && !SseFrameReader.IsData(line, out value))
            {
                continue;
            }

            if (!isFirst)
            {
                scratch[written++] = (byte)'\n';
            }

            line[value..].CopyTo(scratch[written..]);
            written += line.Length - value;
        }

        return scratch[..written];
    }
}

/// <summary>The outcome of <see cref="SseFrameReader.Read"/>.</summary>
public enum SseRead
{
    /// <summary>No event is complete: come back with more bytes behind the same ones.</summary>
    NeedMore,

    /// <summary>An event is complete; the next one begins <see cref="SseFrame.Length"/> bytes further.</summary>
    Frame,

    /// <summary>A piece of an event longer than the limit: only <see cref="SseFrame.Length"/> is meaningful.</summary>
    Oversized,
}
