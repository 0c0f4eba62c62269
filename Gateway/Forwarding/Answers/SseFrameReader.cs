namespace Gateway.Forwarding.Answers;

/// <summary>Finds the ends of server-sent events in a stream that arrives in any pieces. One stream, one thread.</summary>
/// <remarks>
/// The caller owns the buffer: it hands over everything from the current event's first byte, and after an event starts the next
/// call behind it. The reader remembers how far it looked, so the work is linear in the bytes even when they come one at a time.
/// Lines end with LF, CR LF or CR, also mixed. A CR as the very last byte waits for the byte behind it, because CR LF is one end.
/// </remarks>
/// <param name="maxFrameBytes">Longest event that is kept together.</param>
public sealed class SseFrameReader(int maxFrameBytes)
{
    private int _scanned;
    private int _lineStart;
    private bool _isStarted;
    private bool _isOversized;
    private SseFrame _frame;

    /// <summary>Looks for the next event.</summary>
    /// <param name="buffer">From the first byte that no earlier event covered.</param>
    /// <param name="isEnd">Whether the stream ended: what is left is then an event even without its blank line.</param>
    /// <param name="frame">The event, or the oversized piece.</param>
    public SseRead Read(ReadOnlySpan<byte> buffer, bool isEnd, out SseFrame frame)
    {
        if (!_isStarted && !SkipByteOrderMark(buffer, isEnd))
        {
            frame = default;
            return SseRead.NeedMore;
        }

        while (TryEndLine(buffer, isEnd, out var lineEnd, out var next))
        {
            var isBlank = lineEnd == _lineStart;
            TakeLine(buffer, lineEnd);
            _scanned = next;
            _lineStart = next;
            if (isBlank)
            {
                return Close(next, out frame);
            }
        }

        if (isEnd && buffer.Length > 0)
        {
            TakeLine(buffer, buffer.Length);
            return Close(buffer.Length, out frame);
        }

        if (buffer.Length > maxFrameBytes)
        {
            return CutOff(buffer.Length, out frame);
        }

        frame = default;
        return SseRead.NeedMore;
    }

    /// <summary>Whether the line is a field <c>data</c>, and where its value begins.</summary>
    internal static bool IsData(ReadOnlySpan<byte> line, out int value)
    {
        // Older builds of llama.cpp write an error under a field of that name; as data it is seen.
        value = line.StartsWith("data"u8) ? 4 : line.StartsWith("error"u8) ? 5 : 0;
        if (value == 0 || value == line.Length)
        {
            return value > 0;
        }

        if (line[value] != (byte)':')
        {
            return false;
        }

        value++;
        if (value < line.Length && line[value] == (byte)' ')
        {
            value++;
        }

        return true;
    }

    private bool TryEndLine(ReadOnlySpan<byte> buffer, bool isEnd, out int lineEnd, out int next)
    {
        var found = buffer[_scanned..].IndexOfAny((byte)'\n', (byte)'\r');
        if (found < 0)
        {
            _scanned = buffer.Length;
            (lineEnd, next) = (0, 0);
            return false;
        }

        lineEnd = _scanned + found;
        next = lineEnd + 1;
        if (buffer[lineEnd] == (byte)'\r')
        {
            if (next == buffer.Length && !isEnd)
            {
                _scanned = lineEnd;
                return false;
            }

            next += next < buffer.Length && buffer[next] == (byte)'\n' ? 1 : 0;
        }

        return true;
    }

    private void TakeLine(ReadOnlySpan<byte> buffer, int lineEnd)
    {
        if (lineEnd == _lineStart || _isOversized || !IsData(buffer[_lineStart..lineEnd], out var value))
        {
            return;
        }

        _frame = _frame with
        {
            DataStart = _frame.DataLines == 0 ? _lineStart + value : _frame.DataStart,
            DataEnd = lineEnd,
            DataLines = _frame.DataLines + 1,
        };
    }

    private SseRead Close(int length, out SseFrame frame)
    {
        var outcome = _isOversized ? SseRead.Oversized : SseRead.Frame;
        frame = _frame with { Length = length };
        (_scanned, _lineStart, _isOversized, _frame) = (0, 0, false, default);
        return outcome;
    }

    /// <summary>Hands out a piece of a long event. Between pieces only the end is looked for.</summary>
    private SseRead CutOff(int length, out SseFrame frame)
    {
        // A CR that waits for its LF, and a line that has just begun, stay behind for the next call.
        var cut = Math.Max(1, Math.Min(length, _scanned));
        frame = new SseFrame { Length = cut };
        var isAtLineStart = _lineStart == cut;
        (_scanned, _isOversized, _frame) = (0, true, default);
        _lineStart = isAtLineStart ? 0 : -1;
        return SseRead.Oversized;
    }

    private bool SkipByteOrderMark(ReadOnlySpan<byte> buffer, bool isEnd)
    {
        var mark = "\uFEFF"u8;
        if (buffer.Length < mark.Length && mark.StartsWith(buffer) && !isEnd)
        {
            return false;
        }

        _isStarted = true;
        if (buffer.StartsWith(mark))
        {
            (_scanned, _lineStart) = (mark.Length, mark.Length);
        }

        return true;
    }
}
