using System.Buffers;
using Gateway.Forwarding.Answers;

namespace Gateway.Forwarding;

/// <summary>Events ready for the client, with the named splices made. One stream, one thread; holds a pooled buffer only while there is something in it.</summary>
internal sealed class FrameOutput(StreamRules rules) : IDisposable
{
    private const int FirstBytes = 4096;

    private static readonly byte[] Null = "null"u8.ToArray();

    private byte[] _buffer = [];
    private int _start;
    private int _end;
    private uint _lastBytes = 0x0A0A;

    public bool IsEmpty => _start == _end;

    /// <summary>Whether the last event was closed by its blank line.</summary>
    public bool IsBetweenEvents => (_lastBytes & 0xFFFF) is 0x0A0A or 0x0D0D or 0x0A0D || (_lastBytes & 0xFFFFFF) is 0x0A0D0A or 0x0D0D0A;

    /// <summary>Moves what fits into the caller's buffer.</summary>
    public int Take(Span<byte> destination)
    {
        var count = Math.Min(destination.Length, _end - _start);
        _buffer.AsSpan(_start, count).CopyTo(destination);
        _start += count;
        if (IsEmpty && count > 0)
        {
            Dispose();
        }
        return count;
    }

    /// <summary>Appends bytes as they are.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Reserve(bytes.Length);
        bytes.CopyTo(_buffer.AsSpan(_end));
        _end += bytes.Length;
        foreach (var last in bytes[Math.Max(0, bytes.Length - 3)..])
        {
            _lastBytes = (_lastBytes << 8) | last;
        }
    }

    /// <summary>Ends an event that the engine left open, so that what follows is one of its own.</summary>
    public void CloseEvent()
    {
        if (!IsBetweenEvents)
        {
            // After a CR, one LF would only complete the line end, so two are needed.
            Append((_lastBytes & 0xFF) is '\n' ? "\n"u8 : "\n\n"u8);
        }
    }

    /// <summary>Appends an event, less what the client did not ask for and under the name it asked for.</summary>
    public void Append(in SseFrame frame, ReadOnlySpan<byte> bytes, in AnswerFacts facts)
    {
        if (rules.StripsUsage && facts.IsUsageOnly)
        {
            return;
        }
        // Splices in an event of several data lines would count from the joined payload; engines write one line.
        var isSpliceable = frame.DataLines == 1;
        if (!isSpliceable || (rules.PublicModel is null && !(rules.StripsUsage && facts.UsageValue is not null)))
        {
            Append(bytes);
            return;
        }
        Span<(int Start, int End, byte[] Bytes)> edits = new (int, int, byte[])[3];
        var count = 0;
        if (rules.PublicModel is { } name)
        {
            Add(edits, ref count, facts.ModelValue, name);
            Add(edits, ref count, facts.NestedModelValue, name);
        }
        if (rules.StripsUsage)
        {
            Add(edits, ref count, facts.UsageValue, Null);
        }
        AppendEdited(bytes, frame.DataStart, edits[..count]);
    }

    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
        (_start, _end) = (0, 0);
    }

    private static void Add(Span<(int Start, int End, byte[] Bytes)> edits, ref int count, Range? place, byte[] bytes)
    {
        if (place is { } range)
        {
            edits[count++] = (range.Start.Value, range.End.Value, bytes);
        }
    }

    private void AppendEdited(ReadOnlySpan<byte> bytes, int payloadStart, Span<(int Start, int End, byte[] Bytes)> edits)
    {
        edits.Sort(static (a, b) => a.Start.CompareTo(b.Start));
        var from = 0;
        foreach (var (start, end, replacement) in edits)
        {
            Append(bytes[from..(payloadStart + start)]);
            Append(replacement);
            from = payloadStart + end;
        }
        Append(bytes[from..]);
    }

    private void Reserve(int more)
    {
        if (_buffer.Length == 0)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBytes, more));
            return;
        }
        if (_end + more <= _buffer.Length)
        {
            return;
        }
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(2 * _buffer.Length, _end - _start + more));
        _buffer.AsSpan(_start, _end - _start).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _start, _end) = (larger, 0, _end - _start);
    }
}
