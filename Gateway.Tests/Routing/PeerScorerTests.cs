using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

/// <summary>Choices of the peers' policies, computed by hand for a prompt of 1,000 tokens.</summary>
public sealed class PeerScorerTests
{
    private static readonly RoutingQuery Query = new(CorePool.Request(), CorePool.Cost(1_000, 200), new TrafficMeans(800, 200));

    [Fact]
    public void Choose_BySal_TakesTheLargerOfMemoryAndPrefillSteps()
    {
        Candidate[] candidates =
        [
            // Needs 500 tokens more than are free; ten requests free 5 tokens each per step: 10 steps.
            At(0, requests: 10, held: 9_500, capacity: 10_000),
            // 31,720 tokens of prefill are 15.5 steps.
            At(1, prefill: 30_720, capacity: 100_000),
            // 11,240 tokens are 5.5 steps.
            At(2, prefill: 10_240, capacity: 100_000),
        ];

        Assert.Equal(2, Choice("sal", candidates));
        Assert.Equal(0, Choice("sal", candidates[..2]));
    }

    [Fact]
    public void Choose_BySalAmongEquals_TakesTheFewerInFlight() =>
        Assert.All(Enumerable.Range(1, 20), seed => Assert.Equal(1, Choice("sal", [At(0, requests: 9), At(1, requests: 8)], seed)));

    [Fact]
    public void Choose_ByLMetric_MultipliesPrefillByBatch()
    {
        Candidate[] candidates =
        [
            // 1,000 x 10, 100 x 51, 3,000 x 2.
            At(0, requests: 9),
            At(1, requests: 50, hit: 900),
            At(2, requests: 1, prefill: 2_000),
        ];

        Assert.Equal(1, Choice("lmetric", candidates));
        Assert.Equal(2, Choice("lmetric", [candidates[0], At(1, requests: 60, hit: 900), candidates[2]]));
    }

    [Fact]
    public void Choose_ByFreeness_ComparesFreeTokensPerRequest()
    {
        // 8,000 / 4, 4,000 / 1, 1,000 / 1.
        Candidate[] candidates =
        [
            At(0, requests: 4, held: 2_000, capacity: 10_000), At(1, requests: 1, held: 6_000, capacity: 10_000), At(2, held: 9_000, capacity: 10_000),
        ];

        Assert.Equal(1, Choice("freeness", candidates));
    }

    [Fact]
    public void Choose_ByDynamo_AddsPrefillLessOverlapToWhatIsDecoded()
    {
        Candidate[] candidates =
        [
            // 1,500 + 5,500, 100 + 7,500, 3,000 + 2,000.
            At(0, prefill: 500, held: 5_000),
            At(1, held: 6_500, hit: 900),
            At(2, prefill: 3_000, held: 4_000, hit: 1_000),
        ];

        Assert.Equal(2, Choice("dynamo", candidates));
        Assert.Equal(0, Choice("dynamo", candidates[..2]));
    }

    [Fact]
    public void Choose_ByLlmD_WeighsQueueRoomAndPrefix()
    {
        Candidate[] candidates =
        [
            // 2 x 0 + 2 x 0.5 + 3 x 0 = 1; 2 x 1 + 2 x 0.1 = 2.2; 2 x 0.5 + 2 x 0.8 + 3 x 0.5 = 4.1.
            At(0, waiting: 4, kvUsage: 0.5),
            At(1, waiting: 0, kvUsage: 0.9),
            At(2, waiting: 2, kvUsage: 0.2, hit: 500),
        ];
        var costs = Costs("llm_d", candidates);

        Assert.Equal([6, 4.8, 2.9], costs, (left, right) => Math.Abs(left - right) < 1e-9);
        Assert.Equal(2, Choice("llm_d", candidates));
    }

    [Fact]
    public void Choose_ByPrebleWithMoreCachedThanNew_TakesTheLeastLoadedHolder() =>
        Assert.Equal(1, Choice("preble", [At(0, requests: 9, hit: 600), At(1, requests: 5, hit: 600), At(2)]));

    [Fact]
    public void Choose_ByPrebleWithMoreNewThanCached_TakesTheLeastOfLoadEvictionAndPrefill()
    {
        Candidate[] candidates =
        [
            // 2 x 45 outputs are 54 ms, 600 tokens of prefill 53.1 ms.
            At(0, requests: 2, hit: 400),
            // 88.5 ms of prefill.
            At(1),
            // 88.5 ms of prefill, and as much for the 1,000 tokens that must make room.
            At(2, held: 10_000, capacity: 10_000),
            // 88.5 ms of prefill behind 17.7 ms of what came lately.
            At(3) with { RecentPrefillTokens = 200 },
        ];

        Assert.Equal(1, Choice("preble", candidates));
        Assert.Equal(2, Choice("preble", [At(0, requests: 2, hit: 400), candidates[2], At(2, hit: 10)]));
    }

    [Theory]
    [InlineData(301, 5, 0)]
    [InlineData(300, 5, 1)]
    [InlineData(1_000, 64, 0)]
    [InlineData(1_000, 65, 1)]
    public void Choose_ByCacheAware_FollowsThePrefixWhileTheFleetIsBalanced(int hit, int requests, int expected) =>
        Assert.Equal(expected, Choice("cache_aware", [At(0, requests: requests, hit: hit), At(1), At(2, requests: 1)]));

    [Fact]
    public void Choose_ByCacheAwareWithQueuesFarApartButAlikeInRatio_StillFollowsThePrefix() =>
        Assert.Equal(0, Choice("cache_aware", [At(0, requests: 300, hit: 1_000), At(1, requests: 210)]));

    [Fact]
    public void Score_ByLeastLoad_AddsQueuedPrefillAndFullness()
    {
        Candidate[] candidates =
        [
            // 2 + 0.15, 0 + 0.15 x 19, 1.5 + 0.15 x 4.
            At(0, prefill: 4_000, kvUsage: 0.5),
            At(1, kvUsage: 0.95),
            At(2, prefill: 3_000, kvUsage: 0.8),
        ];

        Assert.Equal([2.15, 2.85, 2.1], Costs("least_load", candidates), (left, right) => Math.Abs(left - right) < 1e-9);
    }

    [Fact]
    public void Choose_ByLeastLoadWithoutAnyReport_TakesTheShortestQueue() =>
        Assert.Equal(1, Choice("least_load", [At(0, requests: 2), At(1, requests: 1, prefill: 9_000)]));

    [Fact]
    public void Choose_ByChwbl_IsTheSameReplicaInEveryGatewayAndTheNextWhenThatIsFull()
    {
        var query = new RoutingQuery(CorePool.Request(blocks: [42, 7]), CorePool.Cost(1_000, 200), new TrafficMeans(800, 200));
        Candidate[] idle = [At(0), At(1), At(2), At(3)];
        var first = Choice("chwbl", idle, query: query);

        var (second, third) = (Choice("chwbl", idle, seed: 9, query: query), Choice("chwbl", idle, query: query with { Request = CorePool.Request(blocks: [42, 9]) }));
        // 1.25 x (7 + 1) / 4 = 2.5: with three in flight it is passed over, with two it is not.
        Candidate[] busy = [.. Enumerable.Range(0, 4).Select(i => At(i, requests: i == first ? 3 : i == (first + 1) % 4 ? 2 : 1))];
        var justNot = Enumerable.Range(0, 4).Select(i => At(i, requests: i == first ? 2 : i == (first + 1) % 4 ? 3 : 1)).ToArray();

        Assert.Equal((first, first), (second, third));
        Assert.NotEqual(first, Choice("chwbl", busy, query: query));
        Assert.Equal(first, Choice("chwbl", justNot, query: query));
    }

    [Fact]
    public void Choose_ByChwblOverManyKeys_MovesOnlyThoseOfAReplicaThatLeaves()
    {
        Candidate[] all = [At(0), At(1), At(2), At(3)];
        var before = Enumerable.Range(1, 2_000).Select(key => ChoiceOf((ulong)key, all)).ToArray();
        var after = Enumerable.Range(1, 2_000).Select(key => ChoiceOf((ulong)key, all[..3])).ToArray();

        Assert.All(before.GroupBy(choice => choice), group => Assert.InRange(group.Count(), 350, 650));
        Assert.All(before.Zip(after).Where(pair => pair.First != 3), pair => Assert.Equal(pair.First, pair.Second));
    }

    [Fact]
    public void Choose_ByChwblOfPromptsWithoutABlock_SpreadsThem()
    {
        Candidate[] all = [At(0), At(1), At(2), At(3)];

        var choices = Enumerable.Range(0, 200).Select(i => Choice("chwbl", all, query: Query with { Request = CorePool.Request($"id-{i}") }));

        Assert.All(choices.GroupBy(choice => choice), group => Assert.InRange(group.Count(), 20, 90));
    }

    // Spread as hashes are; a bare number is none.
    private static int ChoiceOf(ulong key, Candidate[] candidates) =>
        Choice("chwbl", candidates, query: Query with { Request = CorePool.Request(blocks: [key * 0x9E3779B97F4A7C15UL]) });

    private static int Choice(string policy, Candidate[] candidates, int seed = 1, RoutingQuery? query = null)
    {
        var plan = RoutingPolicies.Plan(new RoutingOptions { Policy = policy }, new Random(seed));
        return new Router(() => plan, new Random(seed)).Choose(query ?? Query, candidates);
    }

    private static double[] Costs(string policy, Candidate[] candidates)
    {
        var costs = new double[candidates.Length];
        RoutingPolicies.Plan(new RoutingOptions { Policy = policy }, new Random(1)).Scorers.Single().Scorer.Score(Query, candidates, costs);
        return costs;
    }

    private static Candidate At(
        int slot, int requests = 0, long held = 0, long prefill = 0, int hit = 0, long? capacity = null, int? waiting = null, double? kvUsage = null) => new()
        {
            Replica = new ReplicaSnapshot
            {
                Id = $"r{slot}",
                Slot = slot,
                Health = ReplicaHealth.Up,
                RunningRequests = requests,
                ReservedTokens = held,
                QueuedPrefillTokens = prefill,
                CapacityTokens = capacity,
                Weight = 1,
                Report = new EngineReport { WaitingRequests = waiting, KvUsage = kvUsage },
            },
            PrefixHitTokens = hit,
        };
}
