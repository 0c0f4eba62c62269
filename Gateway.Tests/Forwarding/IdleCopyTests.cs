using System.Text;
using Gateway.Forwarding;

namespace Gateway.Tests.Forwarding;

public sealed class IdleCopyTests
{
    [Fact]
    public async Task Copy_OfAStreamThatPauses_HasABufferOnlyWhileThereIsSomethingToRead()
    {
        using var answer = new Pausing("one", "two");
        using var client = new MemoryStream();

        await IdleCopy.ToAsync(answer, client, CancellationToken.None);

        Assert.Equal("onetwo", Encoding.UTF8.GetString(client.ToArray()));
        Assert.Equal(0, answer.WaitsWithABuffer);
    }

    [Fact]
    public async Task Copy_ToAClientThatLeavesAfterTheLastWord_IsWhole()
    {
        using var answer = new Pausing("one", "two");
        using var client = new LeavingAfter(writes: 2);

        await IdleCopy.ToAsync(answer, client, CancellationToken.None);

        Assert.Equal("onetwo", Encoding.UTF8.GetString(client.ToArray()));
    }

    private sealed class LeavingAfter(int writes) : MemoryStream
    {
        private int _left = writes;

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            _left-- > 0 ? base.WriteAsync(buffer, cancellationToken) : throw new IOException("the client is gone");
    }

    // After each word it waits for the next, unless it is asked only whether there is one.
    private sealed class Pausing(params string[] words) : ForwardOnlyStream
    {
        private int _next;
        private bool _hasArrived;

        public int WaitsWithABuffer { get; private set; }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await Task.Yield();
            if (buffer.Length == 0)
            {
                _hasArrived = true;
                return 0;
            }
            WaitsWithABuffer += _hasArrived ? 0 : 1;
            _hasArrived = false;
            return _next == words.Length ? 0 : Encoding.UTF8.GetBytes(words[_next++], buffer.Span);
        }
    }
}
