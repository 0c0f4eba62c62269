using System.IO.Pipelines;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Cuts a watch's body into its lines, one event each, bounded.</summary>
internal static class WatchLines
{
    private const int MaxLineBytes = 8 << 20;

    /// <summary>Lines without their ends; a last one that was cut off is dropped.</summary>
    /// <exception cref="InvalidDataException">A line that no event is as long as.</exception>
    /// <exception cref="IOException">A broken connection.</exception>
    public static async IAsyncEnumerable<ReadOnlyMemory<byte>> ReadAsync(
        Stream body, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var reader = PipeReader.Create(body);
        try
        {
            while (true)
            {
                var read = await reader.ReadAsync(cancellationToken);
                var buffer = read.Buffer;
                while (System.Buffers.BuffersExtensions.PositionOf(buffer, (byte)'\n') is { } end)
                {
                    yield return System.Buffers.BuffersExtensions.ToArray(buffer.Slice(0, end));
                    buffer = buffer.Slice(buffer.GetPosition(1, end));
                }
                reader.AdvanceTo(buffer.Start, buffer.End);
                if (read.IsCompleted)
                {
                    yield break;
                }
                if (buffer.Length > MaxLineBytes)
                {
                    throw new InvalidDataException($"an event is longer than {MaxLineBytes} bytes");
                }
            }
        }
        finally
        {
            await reader.CompleteAsync();
        }
    }
}
