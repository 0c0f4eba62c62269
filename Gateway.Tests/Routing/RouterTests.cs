using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

public sealed class RouterTests
{
    private static readonly RoutingQuery Query = new(CorePool.Request(), CorePool.Cost(1_000, 100), new TrafficMeans(1_000, 100));

    [Fact]
    public void Choose_AmongNobody_IsNobody() =>
        Assert.Equal(-1, RouterOf("least_work").Choose(Query, []));

    [Fact]
    public void Choose_ByLeastWork_WeighsPrefillAndDecodeBySeconds()
    {
        // 0.0885 ms and 0.6 ms per token: 0.885 s of prefill, 0.9 s of decode, 0.86 s of both.
        Candidate[] candidates =
        [
            At(0, prefill: 10_000),
            At(1, output: 1_500),
            At(2, prefill: 5_650, output: 600),
        ];

        Assert.Equal(2, RouterOf("least_work").Choose(Query, candidates));
    }

    [Fact]
    public void Choose_ByLeastWork_GivesTheReplicaOfTwiceTheWeightTwiceTheWork()
    {
        Candidate[] candidates = [At(0, output: 1_000), At(1, output: 1_900, weight: 2)];

        Assert.Equal(1, RouterOf("least_work").Choose(Query, candidates));
    }

    [Fact]
    public void Choose_ByLeastTokens_CountsTokensAndNotRequests()
    {
        Candidate[] candidates = [At(0, requests: 1, reserved: 9_000), At(1, requests: 8, reserved: 4_000)];

        Assert.Equal(1, RouterOf("least_tokens").Choose(Query, candidates));
        Assert.Equal(0, RouterOf("least_requests").Choose(Query, candidates));
    }

    [Fact]
    public void Choose_WithAPrefixHeldElsewhere_PaysForWorkOnlyUpToThePrefillSaved()
    {
        // 900 tokens of prefill are worth 79.65 ms, and as much of decode is 132.75 tokens.
        Candidate[] cheaper = [At(0, output: 132, hit: 900), At(1)];
        Candidate[] dearer = [At(0, output: 134, hit: 900), At(1)];
        var router = RouterOf("least_work");

        Assert.Equal(0, router.Choose(Query, cheaper));
        Assert.Equal(1, router.Choose(Query, dearer));
    }

    [Fact]
    public void Choose_WithAnOverloadedFavourite_PassesItOver()
    {
        var options = new RoutingOptions { OverloadSeconds = TimeSpan.FromSeconds(2), Scorers = [new() { Name = "prefix" }, new() { Name = "session" }] };
        var router = new Router(() => RoutingPolicies.Plan(options, new Random(1)), new Random(2));
        Candidate[] justNot = [At(0, output: 3_333, hit: 1_000, session: true), At(1)];
        Candidate[] overloaded = [At(0, output: 3_334, hit: 1_000, session: true), At(1)];

        var within = Enumerable.Range(0, 50).Select(_ => router.Choose(Query, justNot)).ToList();
        var beyond = Enumerable.Range(0, 50).Select(_ => router.Choose(Query, overloaded)).ToList();

        Assert.All(within, choice => Assert.Equal(0, choice));
        // No credit left: both are alike, and the draw finds the other one.
        Assert.Contains(1, beyond);
    }

    [Fact]
    public void Choose_WithASession_StaysWithItsReplica()
    {
        Candidate[] candidates = [At(0), At(1, output: 100, session: true), At(2)];

        Assert.Equal(1, RouterOf("least_work").Choose(Query, candidates));
    }

    [Theory]
    [InlineData(1, 1.0)]
    [InlineData(1, 0.5)]
    [InlineData(100_000, 1.0)]
    [InlineData(100_000, 0.5)]
    public void Choose_WithASession_StaysUntilItsReplicaIsOverloaded(int promptTokens, double weight)
    {
        // 3,333 tokens of decode are the two seconds of the default, at full speed; whatever the prompt, and even where another holds all of it.
        var query = Query with { Estimate = CorePool.Cost(promptTokens, 100) };
        Candidate[] justNot = [At(0, output: 3_333 * weight, session: true, weight: weight), At(1, hit: promptTokens)];
        Candidate[] overloaded = [At(0, output: 3_334 * weight, session: true, weight: weight), At(1, hit: promptTokens)];
        var router = RouterOf("least_work");

        Assert.Equal((0, 1), (router.Choose(query, justNot), router.Choose(query, overloaded)));
    }

    [Theory]
    [InlineData("least_work")]
    [InlineData("least_requests")]
    [InlineData("random")]
    [InlineData("power_of_two")]
    public void Choose_AmongEquals_SpreadsEvenly(string policy)
    {
        var router = RouterOf(policy);
        Candidate[] candidates = [At(0), At(1), At(2), At(3), At(4)];
        var counts = new int[candidates.Length];

        for (var i = 0; i < 10_000; i++)
        {
            counts[router.Choose(Query, candidates)]++;
        }

        // Chi-square with 4 degrees of freedom: 18.5 is passed by chance once in a thousand.
        Assert.InRange(counts.Sum(count => Math.Pow(count - 2_000, 2) / 2_000), 0, 18.5);
    }

    [Fact]
    public void Choose_ByPowerOfTwo_TakesTheLessLoadedOfTwoThatAreDrawn()
    {
        var router = RouterOf("power_of_two");
        Candidate[] candidates = [At(0, requests: 2), At(1), At(2, requests: 1)];
        var counts = new int[candidates.Length];

        for (var i = 0; i < 9_000; i++)
        {
            counts[router.Choose(Query, candidates)]++;
        }

        // Of the three pairs the least loaded is in two; five standard deviations are 224.
        Assert.Equal(0, counts[0]);
        Assert.InRange(counts[1], 6_000 - 224, 6_000 + 224);
    }

    [Fact]
    public void Choose_AmongCostsWithinRounding_TakesThemForEqual()
    {
        var router = RouterOf("least_work");
        Candidate[] candidates = [At(0, output: 100), At(1, output: 100 + 1e-5)];

        var choices = Enumerable.Range(0, 200).Select(_ => router.Choose(Query, candidates)).ToList();

        Assert.Contains(0, choices);
        Assert.Contains(1, choices);
    }

    [Fact]
    public void Choose_AmongMoreThanFitTheStack_FindsTheLeast()
    {
        var candidates = Enumerable.Range(0, 300).Select(slot => At(slot, output: slot == 257 ? 1 : 500 + slot)).ToArray();

        Assert.Equal(257, RouterOf("least_work").Choose(Query, candidates));
    }

    [Fact]
    public void Choose_AfterThePlanWasSwapped_FollowsTheNewOne()
    {
        var plan = RoutingPolicies.Plan(new RoutingOptions { Policy = "least_requests" }, new Random(1));
        var router = new Router(() => plan, new Random(2));
        Candidate[] candidates = [At(0, requests: 1, reserved: 9_000), At(1, requests: 8, reserved: 4_000)];
        var before = router.Choose(Query, candidates);

        plan = RoutingPolicies.Plan(new RoutingOptions { Policy = "least_tokens" }, new Random(1));

        Assert.Equal((0, 1), (before, router.Choose(Query, candidates)));
    }

    [Theory]
    [InlineData("least_work")]
    [InlineData("least_tokens")]
    [InlineData("least_requests")]
    [InlineData("round_robin")]
    [InlineData("random")]
    public void Score_AskedTwice_GivesTheSameFiniteNumbers(string policy)
    {
        // power_of_two is left out: two candidates drawn are what it is.
        var router = RouterOf(policy);
        var chance = new Random(3);
        var candidates = Enumerable.Range(0, 20).Select(slot => At(slot, chance.Next(9), chance.Next(9_000), chance.Next(9_000), chance.Next(900), chance.Next(1_000), chance.Next(2) == 0)).ToArray();
        double[] first = new double[20], second = new double[20], scratch = new double[20];

        router.Score(Query, candidates, first, scratch);
        router.Score(Query, candidates, second, scratch);

        Assert.Equal(first, second);
        Assert.All(first, cost => Assert.True(double.IsFinite(cost)));
    }

    [Fact]
    public void Enter_ByRoundRobin_IsExactlyFair()
    {
        using var world = new CorePool(5, slots: null, routing: new RoutingOptions { Policy = "round_robin" });

        var turns = Enumerable.Range(0, 100).Select(_ => world.Enter(CorePool.Request()).Replica).ToList();

        Assert.All(turns.Chunk(5), round => Assert.Equal(5, round.Distinct().Count()));
    }

    [Fact]
    public void Names_OfPoliciesAndScorers_AreThoseOfTheConfiguration()
    {
        Assert.Equal(
            [
                "least_delay", "least_work", "sticky", "least_tokens", "least_requests", "round_robin", "random", "power_of_two",
                "lmetric", "sal", "freeness", "cache_aware", "least_load", "dynamo", "llm_d", "preble", "chwbl",
            ],
            RoutingPolicies.Names);
        Assert.Equal(["added_delay", "outstanding_work", "prefix", "session"], RoutingPolicies.ScorerNames);
    }

    private static Router RouterOf(string policy)
    {
        var plan = RoutingPolicies.Plan(new RoutingOptions { Policy = policy }, new Random(11));
        return new Router(() => plan, new Random(17));
    }

    private static Candidate At(
        int slot, int requests = 0, long reserved = 0, long prefill = 0, double output = 0, int hit = 0, bool session = false, double weight = 1) => new()
        {
            Replica = new ReplicaSnapshot
            {
                Id = $"r{slot}",
                Slot = slot,
                Health = ReplicaHealth.Up,
                RunningRequests = requests,
                ReservedTokens = reserved,
                QueuedPrefillTokens = prefill,
                OutstandingTokens = output,
                Weight = weight,
                Report = EngineReport.Empty,
            },
            PrefixHitTokens = hit,
            HoldsSession = session,
        };
}
