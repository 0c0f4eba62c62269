using Gateway.Coordination;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Coordination;

public sealed class MemoryStateTests : SharedStateContract
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task Post_AfterAnEntrysLease_ShowsItNoMore()
    {
        await WithTwoAsync(async (a, b) =>
        {
            await Post(a, "x", 1);
            _time.Advance(Lease);
            Assert.Equal(Lease, Assert.Single(await Post(b, "x", 2)).Age);

            _time.Advance(TimeSpan.FromMilliseconds(1));

            Assert.Empty(await Post(b, "x", 2));
        });
    }

    [Fact]
    public async Task Tell_OfMoreThanIsKept_ForgetsTheOldest()
    {
        await WithTwoAsync(async (a, b) =>
        {
            for (var i = 0; i <= News.MostBatches; i++)
            {
                await a.TellAsync([(byte)i, (byte)(i >> 8)], null, default);
            }

            var heard = await b.TellAsync([], null, default);

            Assert.Equal(News.MostBatches, heard.Batches.Count);
            Assert.Equal([1, 0], heard.Batches[0]);
        });
    }

    protected override Task WithTwoAsync(Func<ISharedState, ISharedState, Task> test)
    {
        var state = new MemoryState(_time);
        return test(state.Join("a"), state.Join("b"));
    }
}
