namespace Gateway.Replay.Traces.Readers;

/// <summary>Lines of bytes from a stream, one at a time, blank ones skipped. A line is valid until the next is asked for.</summary>
/// <exception cref="TraceException">A damaged or truncated gzip, a failed read, or a line of more than <see cref="MostLineBytes"/>.</exception>
internal sealed class LineReader(Stream stream, string fileName)
{
    /// <summary>Longest line: a whole result of <c>vllm bench serve</c> is one line, texts included.</summary>
    public const int MostLineBytes = 256 << 20;

    private byte[] _buffer = new byte[1 << 16];
    private int _start;
    private int _end;
    private long _line;
    private bool _isOver;

    /// <summary>The line read last.</summary>
    public TraceSpot Spot => new(fileName, _line);

    /// <returns>False at the end.</returns>
    public bool Next(out ReadOnlyMemory<byte> line)
    {
        while (NextRaw(out line))
        {
            line = Trimmed(line);
            if (!line.IsEmpty)
            {
                return true;
            }
        }

        return false;
    }

    private bool NextRaw(out ReadOnlyMemory<byte> line)
    {
        var scanned = 0;
        while (true)
        {
            var end = _buffer.AsSpan(_start + scanned, _end - _start - scanned).IndexOf((byte)'\n');
            if (end >= 0)
            {
                line = _buffer.AsMemory(_start, scanned + end);
                _start += scanned + end + 1;
                _line++;
                return true;
            }

            scanned = _end - _start;
            if (!_isOver && Fill())
            {
                continue;
            }

            line = _buffer.AsMemory(_start, scanned);
            _start = _end;
            _line += scanned > 0 ? 1 : 0;
            return scanned > 0;
        }
    }

    private bool Fill()
    {
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }

        if (_end == _buffer.Length)
        {
            if (_end >= MostLineBytes)
            {
                throw new TraceSpot(fileName, _line + 1).Wrong($"the line has more than {MostLineBytes >> 20} MiB. A trace has one request per line.");
            }

            Array.Resize(ref _buffer, _buffer.Length * 2);
        }

        var read = ReadSome();
        _end += read;
        _isOver = read == 0;
        return !_isOver;
    }

    private int ReadSome()
    {
        try
        {
            return stream.Read(_buffer, _end, _buffer.Length - _end);
        }
        catch (Exception problem) when (problem is InvalidDataException or EndOfStreamException)
        {
            throw new TraceSpot(fileName, _line + 1).Wrong("the compressed file is damaged or cut off here. Allowed: plain text, or a complete gzip.");
        }
        catch (IOException)
        {
            throw new TraceSpot(fileName, _line + 1).Wrong("the file could not be read any further (input/output error).");
        }
    }

    private ReadOnlyMemory<byte> Trimmed(ReadOnlyMemory<byte> line)
    {
        if (_line == 1 && line.Span.StartsWith("\uFEFF"u8))
        {
            line = line[3..];
        }

        var span = line.Span;
        var (start, end) = (0, span.Length);
        while (start < end && IsBlank(span[start]))
        {
            start++;
        }

        while (end > start && IsBlank(span[end - 1]))
        {
            end--;
        }

        return line[start..end];
    }

    private static bool IsBlank(byte letter) => letter is (byte)' ' or (byte)'\t' or (byte)'\r';
}
