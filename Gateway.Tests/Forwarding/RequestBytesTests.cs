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
    public async Task Read_OfMoreThanOneArrayHolds_IsRefusedAtOnce()
    {
        using var body = new MemoryStream([1, 2, 3]);

        Assert.Null(await RequestBytes.ReadAsync(body, announcedBytes: RequestBytes.MostBytes + 1L, maxBytes: 4L << 30, CancellationToken.None));

        Assert.Equal(0, body.Position);
    }

    [Fact]
    public async Task Read_OfABodyThatIsAnnouncedAndNeverComes_TakesLittleOfTheMemoryOfAll()
    {
        var budget = new BodyBudget(1 << 30);
        using var gone = new CancellationTokenSource();
        var reading = RequestBytes.ReadAsync(new SilentStream(), 60 << 20, 64 << 20, gone.Token, budget.For(tenant: 1)).AsTask();

        var taken = budget.TakenBytes;
        await gone.CancelAsync();

        Assert.InRange(taken, 1, 64 << 10);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.Equal(0, budget.TakenBytes);
    }

    [Theory]
    [InlineData(1, true)]
    [InlineData(65_535, true)]
    [InlineData(65_536, true)]
    [InlineData(65_537, false)]
    [InlineData(3_000_000, true)]
    [InlineData(3_000_000, false)]
    public async Task Read_OfABodyOfAnySize_GivesItsBytes(int length, bool isAnnounced)
    {
        var sent = new byte[length];
        new Random(length).NextBytes(sent);
        var budget = new BodyBudget(1 << 30);

        var bytes = (await RequestBytes.ReadAsync(new MemoryStream(sent), isAnnounced ? length : null, 4_000_000, CancellationToken.None, budget.For(tenant: 1)))!;

        Assert.True(sent.AsSpan().SequenceEqual(bytes.Memory.Span));
        bytes.Dispose();
        Assert.Equal(0, budget.TakenBytes);
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

    private sealed class SilentStream : MemoryStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var gone = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = cancellationToken.Register(() => gone.TrySetCanceled(cancellationToken));
            return await gone.Task;
        }
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
