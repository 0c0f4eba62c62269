using System.Buffers;

namespace Gateway.Forwarding;

/// <summary>Copies a stream that mostly waits: it has memory only while there is something to pass on.</summary>
internal static class IdleCopy
{
    private const int BufferBytes = 16 * 1024;

    /// <summary>Copies to the end.</summary>
    /// <param name="from">Answers a read without room once there is something to read, or the end.</param>
    /// <param name="to">Takes it.</param>
    /// <param name="cancellationToken">Ends the copying.</param>
    public static async Task ToAsync(Stream from, Stream to, CancellationToken cancellationToken)
    {
        int read;
        do
        {
            _ = await from.ReadAsync(Memory<byte>.Empty, cancellationToken);
            var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
            try
            {
                read = await from.ReadAsync(buffer, cancellationToken);
                // A client that has all of its answer may be gone by now: that must not spoil the end.
                if (read > 0)
                {
                    await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }
        while (read > 0);
    }
}
