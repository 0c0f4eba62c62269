using System.Buffers;
using System.Text;
using Gateway.Forwarding;
using Gateway.Requests;

namespace Gateway.Tests.Forwarding;

public sealed class RequestBytesTests
{
    [Fact]
    public async Task Dispose_WhileAConnectionStillSends_KeepsTheBytesUntilItIsDone()
    {
        var text = new string('a', 5_000);
        var bytes = (await RequestBytes.ReadAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), text.Length, 1 << 20, CancellationToken.None))!;
        using var content = new SplicedContent(new SplicedBody([bytes.Memory[..10], bytes.Memory[10..]]), bytes);
        var wire = new BlockedStream();
        var sending = content.CopyToAsync(wire);

        bytes.Dispose();
        // The pool hands a returned buffer to whoever asks next.
        var others = Enumerable.Range(0, 8).Select(_ => ArrayPool<byte>.Shared.Rent(text.Length + 1)).ToList();
        others.ForEach(other => Array.Fill(other, (byte)'x'));
        wire.Release();
        await sending;

        Assert.Equal(text, Encoding.UTF8.GetString(wire.ToArray()));
        Assert.Equal(0, bytes.Memory.Length);
    }

    [Fact]
    public async Task Send_AfterTheRequestIsOver_SendsNothing()
    {
        var bytes = RequestBytes.Begin();
        using var content = new SplicedContent(new SplicedBody("{}"u8.ToArray()), bytes);
        using var wire = new MemoryStream();

        bytes.Dispose();

        await Assert.ThrowsAsync<HttpRequestException>(() => content.CopyToAsync(wire));
        Assert.Equal(0, wire.Length);
    }

    private sealed class BlockedStream : MemoryStream
    {
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Release() => _released.SetResult();

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await _released.Task;
            await base.WriteAsync(buffer, cancellationToken);
        }
    }
}
