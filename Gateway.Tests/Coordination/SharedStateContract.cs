using Gateway.Coordination;

namespace Gateway.Tests.Coordination;

/// <summary>What every shared state does, wherever it is kept.</summary>
public abstract class SharedStateContract
{
    internal static readonly TimeSpan Lease = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Post_OfSeveral_ShowsEachTheOthersNewestEntry()
    {
        await WithTwoAsync(async (a, b) =>
        {
            Assert.Empty(await Post(a, "x", 1));
            Assert.Equal([1], Assert.Single(await Post(b, "x", 2)).Content);
            await Post(b, "x", 3, 0, 255);

            var seen = Assert.Single(await Post(a, "x", 4));

            Assert.Equal(("b", (byte[])[3, 0, 255]), (seen.Gateway, seen.Content), (one, other) => one.Item1 == other.Item1 && one.Item2.SequenceEqual(other.Item2));
            Assert.InRange(seen.Age, TimeSpan.Zero, Lease);
            Assert.Empty(await Post(a, "y", 5));
        });
    }

    [Fact]
    public async Task Post_OfAnEmptyEntry_TakesItAway()
    {
        await WithTwoAsync(async (a, b) =>
        {
            await Post(a, "x", 1);
            await Post(a, "x");

            Assert.Empty(await Post(b, "x", 2));
        });
    }

    [Fact]
    public async Task Tell_OfSeveral_BringsEachWhatTheOthersToldSince()
    {
        await WithTwoAsync(async (a, b) =>
        {
            var first = await a.TellAsync([1, 0], null, default);
            Assert.Empty(first.Batches);
            var heard = await b.TellAsync([2], null, default);
            Assert.Equal([[1, 0]], heard.Batches);
            await a.TellAsync([3], first.Last, default);

            Assert.Equal([[3]], (await b.TellAsync([], heard.Last, default)).Batches);
            Assert.Equal([[2]], (await a.TellAsync([], first.Last, default)).Batches);
        });
    }

    [Fact]
    public async Task Tell_WithNothingNew_StaysWhereItWas()
    {
        await WithTwoAsync(async (a, b) =>
        {
            await a.TellAsync([1], null, default);
            var heard = await b.TellAsync([], null, default);

            var again = await b.TellAsync([], heard.Last, default);

            Assert.Empty(again.Batches);
            Assert.Equal(heard.Last, again.Last);
        });
    }

    internal static ValueTask<IReadOnlyList<BoardEntry>> Post(ISharedState state, string board, params byte[] entry) => state.PostAsync(board, entry, Lease, default);

    /// <summary>Runs a test with two gateways' access to one fresh state; not at all where there is none.</summary>
    protected abstract Task WithTwoAsync(Func<ISharedState, ISharedState, Task> test);
}
