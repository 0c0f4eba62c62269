using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

public sealed class MarginalHitsTests
{
    // Blocks of 40 bytes and 4 bytes per token: 10 tokens each.
    private static readonly ulong[] Blocks = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

    private readonly ManualTime _time = new();
    private readonly RoutingOptions _options = new();
    private readonly PrefixIndex _index;

    public MarginalHitsTests()
    {
        _index = new PrefixIndex(1 << 20, _time);
    }

    [Theory]
    // Of each prompt 100 tokens are found, all late, and its answer is added: twice 100 to 400, and no more than 2 where it is short.
    [InlineData(400, 0.5)]
    [InlineData(10, 2)]
    public void HitsLostPerToken_OfPromptsThatComeBackLateInAFullCache_IsWhatACacheOfHalfTheSizeWouldMiss(int output, double lost)
    {
        // Five prompts in turn fill the cache with their answers: each comes back after all the others.
        for (var round = 0; round < 2_000; round++)
        {
            RecordEvery(10 * (round % 5), 5 * (100 + output), output);
        }
        var full = _index.HitsLostPerToken;
        for (var round = 0; round < 2_000; round++)
        {
            RecordEvery(10 * (round % 5), 50 * (100 + output), output);
        }

        Assert.Equal(lost, full, 0.01);
        Assert.Equal(0, _index.HitsLostPerToken, 0.01);
    }

    [Fact]
    public void HitsLostPerToken_WhereOneBeginningComesAllTheTime_IsNothing()
    {
        for (var round = 0; round < 2_000; round++)
        {
            RecordEvery(round % 2 == 0 ? 0 : 10 * round, 2_000, 10);
        }

        using var pool = new CorePool();
        var hits = new int[1];
        _index.Match(CorePool.Request(blocks: Blocks), 100, _options, pool.Pool.Replicas, hits);
        Assert.Equal(99, hits[0]);
        Assert.Equal(0, _index.HitsLostPerToken);
    }

    // Blocks of its own for each number, from those of the first prompt on.
    private void RecordEvery(int number, long capacity, int output)
    {
        _index.Record(CorePool.Request(blocks: [.. Blocks.Select(block => block + (ulong)number)]), CorePool.Cost(100, output), 0, capacity, _options);
        _time.Advance(TimeSpan.FromSeconds(1));
    }
}
