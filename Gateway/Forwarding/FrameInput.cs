using System.Buffers;
using Gateway.Forwarding.Answers;

namespace Gateway.Forwarding;

/// <summary>What came of an engine's stream and is not passed on yet, cut into events. One stream, one thread; holds a pooled buffer only while there is something in it.</summary>
internal sealed class FrameInput(int maxFrameBytes) : IDisposable
{
    private const int FirstBytes = 4096;

    private readonly SseFrameReader _frames = new(maxFrameBytes);
    private byte[] _buffer = [];
    private int _start;
    private int _end;

    public bool IsEmpty => _start == _end;

    /// <summary>Room for the next bytes, which <see cref="Fill"/> takes in.</summary>
    public Memory<byte> Room()
    {
        if (_buffer.Length == 0)
        {
            _buffer = ArrayPool<byte>.Shared.Rent(FirstBytes);
            return _buffer;
        }
        if (_start > 0)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(2 * _buffer.Length);
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }
        return _buffer.AsMemory(_end);
    }

    public void Fill(int bytes) => _end += bytes;

    /// <summary>Looks for the next event, which stays until <see cref="Skip"/>.</summary>
    /// <param name="isEnd">Whether nothing follows what is here.</param>
    /// <param name="frame">Where its parts stand.</param>
    /// <param name="bytes">The event.</param>
    public SseRead Read(bool isEnd, out SseFrame frame, out ReadOnlySpan<byte> bytes)
    {
        var outcome = _frames.Read(_buffer.AsSpan(_start, _end - _start), isEnd, out frame);
        bytes = outcome == SseRead.NeedMore ? default : _buffer.AsSpan(_start, frame.Length);
        return outcome;
    }

    /// <summary>The event is done with.</summary>
    public void Skip(in SseFrame frame)
    {
        _start += frame.Length;
        if (IsEmpty)
        {
            Dispose();
        }
    }

    /// <summary>Gives the buffer back, with what is in it.</summary>
    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
        (_start, _end) = (0, 0);
    }
}
