namespace Gateway.Forwarding;

/// <summary>An answer that is passed on without being understood: what was read already, then the rest as it comes. Read by one thread.</summary>
/// <remarks>Faults where the engine's answer breaks off: bytes of an unknown form have no words for an error, so the client's connection must end, too.</remarks>
internal sealed class UnreadAnswer(byte[] head, Stream rest, Answer answer, AttemptClock clock) : Stream
{
    private int _position;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_position < head.Length)
        {
            var count = Math.Min(buffer.Length, head.Length - _position);
            head.AsSpan(_position, count).CopyTo(buffer.Span);
            _position += count;
            return count;
        }
        try
        {
            clock.AwaitNext(isComplete: false);
            var read = await rest.ReadAsync(buffer, clock.Token);
            clock.Pause();
            answer.IsComplete = read == 0 && buffer.Length > 0;
            return read;
        }
        catch (Exception broken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            answer.IsBroken = true;
            throw broken as IOException ?? new IOException("The engine's answer broke off.", broken);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("The stream is read asynchronously.");

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        rest.Dispose();
        base.Dispose(disposing);
    }
}
