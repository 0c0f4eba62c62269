using Gateway.Forwarding.Attempts;

namespace Gateway.Forwarding;

/// <summary>An answer that is passed on without being understood: what was read already, then the rest as it comes. Read by one thread.</summary>
/// <remarks>Faults where the engine's answer breaks off: bytes of an unknown form have no words for an error, so the client's connection must end, too.</remarks>
internal sealed class UnreadAnswer(byte[] head, Stream rest, Answer answer, AttemptClock clock) : ForwardOnlyStream
{
    private int _position;

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

    protected override void Dispose(bool disposing)
    {
        rest.Dispose();
        base.Dispose(disposing);
    }
}
