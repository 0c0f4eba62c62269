using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

/// <summary>Costs by hand, at the rates of an engine that has answered nothing yet: 0.0885 ms per prompt token, 16 ms per step, 0.049914 ms per sequence and 0.00013983 ms per context token.</summary>
public sealed class AddedDelayScorerTests
{
    private const double Prefill = 0.0885e-3;
    private const double Step = 16e-3;
    private const double Sequence = 0.564 * Prefill;
    private const double Context = 1.58e-3 * Prefill;

    // What comes before the first token counts three times. The way takes 2 ms, as long as nothing is learned of it.
    private const double Thrice = 3;
    private const double Idle = Thrice * 2e-3;

    [Fact]
    public void Score_OfAnEmptyReplica_IsTheRequestsOwnTime()
    {
        // 1,000 tokens, the first 256 at 0.4 of the price: 846.4 of them; 100 steps alone that look back at 1,050.
        var expected = Idle + (Thrice * 846.4 * Prefill) + (100 * (Step + Sequence + (1_050 * Context)));

        Assert.Equal(expected, CostOf(new Candidate { Replica = Replica() }), 9);
    }

    [Fact]
    public void Score_OfABusyReplica_StallsItsBatchAndSlowsItsSteps()
    {
        var replica = Replica() with { RunningRequests = 4, RunningSequences = 4, QueuedPrefillTokens = 2_000, ReservedTokens = 8_300, OutstandingTokens = 300 };
        // Held: 8,000. Beside four that decode 252 tokens are cheap: 1,848.8 are ahead and 848.8 are its own, in a step that without it would only decode. What halts
        // the four keeps them there longer. Of theirs 300 tokens are still to come, each slower by one more sequence and 1,050 tokens. The step in progress has just
        // begun: without its prompts 16.8 ms by the rates that are believed.
        var aftermath = 1 + (4 * Sequence / Step);
        var expected = (Thrice * 16.8e-3) + (1_848.8 * Prefill * (Thrice + 4)) + ((Thrice - 1) * 848.8 * Prefill) + (((848.8 * Prefill) + (4 * Sequence)) * (1 + (4 * aftermath)))
            + (100 * (Step + (5 * Sequence) + (9_050 * Context))) + (300 * aftermath * (Sequence + (1_050 * Context)));

        Assert.Equal(expected, CostOf(new Candidate { Replica = replica }), 9);
    }

    [Theory]
    // Of 500 tokens that the next step computes already 252 were cheap: its own 1,000 are not, but the mixture is paid.
    [InlineData(500, 1_000, 0)]
    // Of 100 they leave 152.
    [InlineData(100, 908.8, 0)]
    [InlineData(0, 848.8, 4)]
    public void Score_BesideAPromptOfTheSameStep_SharesThatStep(int joining, double tokens, int mixed)
    {
        var replica = Replica() with { RunningSequences = 4, QueuedPrefillTokens = 500, ReservedTokens = 8_300, OutstandingTokens = 300 };
        var ofACachedPrompt = CostOf(new Candidate { Replica = replica, PrefixHitTokens = 999 });
        var cached = ((Thrice - 1) * 0.4 * Prefill) + (((0.4 * Prefill) + (4 * Sequence)) * (1 + (4 * (1 + (4 * Sequence / Step)))));
        // What joins is a step of its own after the one in progress: cheap tokens of both.
        var twoSteps = 0.6 * (252 - Math.Min(joining, 252) - Math.Min(500 - joining, 252)) * Prefill * (Thrice + 4);

        var own = CostOf(new Candidate { Replica = replica with { JoiningPrefillTokens = joining } }) - (ofACachedPrompt - cached) - twoSteps;

        Assert.Equal(((Thrice - 1) * tokens * Prefill) + (((tokens * Prefill) + (mixed * Sequence)) * (1 + (4 * (1 + (4 * Sequence / Step))))), own, 9);
    }

    [Theory]
    // A step for four answers and 500 prompt tokens takes 16.8 ms and 44.25 ms: 348.8 tokens at the full price are ahead at its beginning.
    [InlineData(0, 0, 0, 0)]
    [InlineData(0, 0.06105 / 4, 348.8 / 4 * Prefill, 16.8e-3 / 4)]
    // It lasts four times as long as expected: its prompts are believed to go on for as long again. Twice that, and it costs more than at its beginning.
    [InlineData(0, 0.06105 * 4, 0, 16.8e-3)]
    [InlineData(0, 0.06105 * 8, -348.8 * Prefill, 16.8e-3)]
    // 100 of them join the next one: no time that has passed computes those. The 400 take 52.2 ms.
    [InlineData(100, 0.0522 / 2, 248.8 / 2 * Prefill, 16.8e-3 / 2)]
    public void Score_WhileAStepGoesOn_CountsWhatIsLeftOfIt(int joining, double elapsed, double saved, double decoded)
    {
        var replica = Replica() with { RunningSequences = 4, QueuedPrefillTokens = 500, JoiningPrefillTokens = joining, ReservedTokens = 8_300, OutstandingTokens = 300 };

        var less = CostOf(new Candidate { Replica = replica }) - CostOf(new Candidate { Replica = replica, StepElapsedSeconds = elapsed });

        Assert.Equal((saved * (Thrice + 4)) + (decoded * Thrice), less, 9);
    }

    [Fact]
    public void Score_WhereOthersOfThePoolAreKnown_BelievesTheUnknownToBeLikeThem()
    {
        var half = ServiceRates.Of(2);
        var costs = CostsOf(new Candidate { Replica = Replica() with { Rates = half with { Answers = 16 } } }, new Candidate { Replica = Replica() });

        Assert.Equal(CostOf(new Candidate { Replica = Replica() with { Rates = half } }), costs[0], 9);
        Assert.Equal(costs[0], costs[1], 9);
    }

    [Fact]
    public void Score_OfReplicasThatDiffer_BelievesEachTheMoreTheMoreItAnswered()
    {
        var costs = CostsOf(
            new Candidate { Replica = Replica() with { Rates = ServiceRates.Of(2) with { Answers = 16 } } },
            new Candidate { Replica = Replica() with { Rates = ServiceRates.Initial with { Answers = 48 } } });

        // Usual: (16 · 0.5 + 48 · 1) / 64 = 0.875. It counts for 16: (8 + 14) / 32 and (48 + 14) / 64. Two in a hundred of the usual are doubtful.
        Assert.Equal((0.6875 + (0.02 * 0.875)) / (0.96875 - (0.02 * 0.875)), (costs[0] - Idle) / (costs[1] - Idle), 9);
    }

    [Theory]
    [InlineData(600, 0.0, 0.0, 246.4)]
    [InlineData(600, 0.5, 0.0, 492.8)]
    [InlineData(999, 0.5, 0.0, 0.8)]
    // Of a full cache each token takes the place of a fifth that would be found again.
    [InlineData(600, 0.0, 0.2, 344.96)]
    [InlineData(600, 0.5, 0.2, 591.36)]
    public void Score_OfAHolder_CountsWhatIsLeftAndWhatItDisplaces(int hit, double hitShare, double lost, double tokens)
    {
        // What is displaced keeps nobody's first token waiting.
        var own = tokens / (1 + (2 * hitShare) + (2 * lost));
        var expected = Idle + ((Thrice - 1) * own * Prefill) + (tokens * Prefill) + (100 * (Step + Sequence + (1_050 * Context)));

        Assert.Equal(expected, CostOf(new Candidate { Replica = Replica(), PrefixHitTokens = hit }, hitShare, lost), 9);
    }

    [Fact]
    public void Score_OfWhatItDisplaces_CountsTheHaltOfItsOwnBatchAndThePoolsMeanAlike()
    {
        var busy = new Candidate { Replica = Replica() with { RunningSequences = 4, OutstandingTokens = 300 } };
        var traffic = new TrafficMeans(1_000, 250, MeanRunningSequences: 3);

        var more = CostsOf(traffic with { HitShare = 0.5 }, busy)[0] - CostsOf(traffic, busy)[0];

        Assert.Equal(848.8 * Prefill * (1 + (3.5 * (1 + (3.5 * Sequence / Step)))), more, 9);
    }

    [Fact]
    public void Score_OfEnginesThatDifferByAHundredth_TakesThemForEqual()
    {
        var slower = new Candidate { Replica = Replica() with { Rates = ServiceRates.Of(1 / 1.01) with { Answers = 128 } } };
        var faster = new Candidate { Replica = Replica() with { Rates = ServiceRates.Of(1 / 0.99) with { Answers = 128 } } };

        var costs = CostsOf(slower, faster);

        Assert.Equal(costs[0], costs[1], 9);
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(0.5, 4)]
    [InlineData(0.75, 16)]
    // At most nine tenths are believed to be taken.
    [InlineData(1.2, 100)]
    public void Score_OfWhatFullCachesLose_CountsMoreTheLessRoomRunningRequestsLeave(double taken, double times)
    {
        var candidate = new Candidate { Replica = Replica() };

        var more = CostsOf(new TrafficMeans(1_000, 250, 0, 0.1, taken), candidate)[0] - CostsOf(new TrafficMeans(1_000, 250, 0, 0, taken), candidate)[0];

        Assert.Equal(2 * 0.1 * 846.4 * Prefill * times, more, 9);
    }

    [Theory]
    // Steps of four take 16.8 ms. Sent 2 ms before one begins, it is part of that; later, of the one after.
    [InlineData(0, 16.8e-3)]
    [InlineData(14.7e-3, 2.1e-3)]
    [InlineData(14.9e-3, 1.9e-3 + 16.8e-3)]
    // Silent for longer than a step: where the next one is cannot be told.
    [InlineData(1, 2e-3 + 8.4e-3)]
    public void Score_WhileOnlyAnswersGoOn_CountsUntilTheStepThatItJoins(double elapsed, double seconds)
    {
        var candidate = new Candidate { Replica = Replica() with { RunningSequences = 4, ReservedTokens = 8_300, OutstandingTokens = 300 } };

        var more = CostOf(candidate with { StepElapsedSeconds = elapsed }) - CostOf(candidate with { StepElapsedSeconds = 14.7e-3 });

        Assert.Equal(Thrice * (seconds - 2.1e-3), more, 9);
    }

    [Theory]
    // Ten requests and 20,000 tokens in ten seconds: one a second, and 17.7 % of the time is prompts, so 1 / 0.823 a second come until a queue is empty.
    [InlineData(10, 20_000, 10, 1 / 0.823, 0.177)]
    // However busy it was, a tenth of its time is left.
    [InlineData(10, 500_000, 10, 10, 0.9)]
    [InlineData(0, 0, 10, 0, 0)]
    // Nothing is known of it yet.
    [InlineData(0, 0, 0, 0, 0)]
    public void Score_WhereMoreWillCome_CountsHowMuchLaterTheyBegin(double requests, double tokens, double seconds, double followersPerSecond, double prefillShare)
    {
        // 2,000 tokens are ahead, and a tenth of its own 1,000 counts: who comes while these are computed begins later by its own time.
        var replica = Replica() with { QueuedPrefillTokens = 2_000 };
        var candidate = new Candidate { Replica = replica, RecentRequests = requests, RecentPrefillTokens = tokens, RecentSeconds = seconds };
        var (ahead, own) = (1_846.4 * Prefill, 846.4 * Prefill);

        var more = CostOf(candidate) - CostOf(new Candidate { Replica = replica });

        // And those who come while it answers halt it.
        var halted = 100 * (Step + Sequence + (1_050 * Context)) * prefillShare;
        Assert.Equal((2 * own * followersPerSecond * (ahead + (0.1 * own))) + halted, more, 9);
    }

    [Fact]
    public void Score_OfAFullReplica_AddsTheTimeUntilEnoughHasEnded()
    {
        // 10 run, 500 tokens are free, 1,100 wanted: 600 of the 1,250 that a mean request frees; all ten end once in 250 steps.
        var replica = Replica() with { RunningSequences = 10, CapacityTokens = 10_000, ReservedTokens = 9_500, OutstandingTokens = 1_500 };
        var withRoom = CostOf(new Candidate { Replica = replica with { CapacityTokens = null } });
        var step = Step + (11 * Sequence) + (9_050 * Context);

        Assert.Equal(600 / 1_250.0 * 250 / 10 * step, CostOf(new Candidate { Replica = replica }) - withRoom, 9);
        Assert.Equal(250 / 10 * step, CostOf(new Candidate { Replica = replica with { HasRoom = false } }) - withRoom, 9);
        Assert.Equal(4 * 250 / 10 * step, CostOf(new Candidate { Replica = replica with { HasRoom = false }, WaitingForIt = 3 }) - withRoom, 9);
    }

    [Fact]
    public void Score_AtTwiceTheSpeed_IsHalf()
    {
        var replica = Replica() with { RunningSequences = 4, QueuedPrefillTokens = 2_000, ReservedTokens = 8_300, OutstandingTokens = 300 };

        Assert.Equal(CostOf(new Candidate { Replica = replica }) / 2, CostOf(new Candidate { Replica = replica with { Rates = ServiceRates.Of(2) } }), 9);
    }

    [Fact]
    public void Choose_OfASession_StaysWhereNoBlockSaysMoreAndFollowsTheBlocksWhereOneDoes()
    {
        var router = new Router(() => RoutingPolicies.Plan(new RoutingOptions(), new Random(1)), new Random(2));
        var query = new RoutingQuery(CorePool.Request(), CorePool.Cost(1_000, 100), new TrafficMeans(1_000, 250, 0));
        var home = new Candidate { Replica = Replica() with { RunningSequences = 3, OutstandingTokens = 900 }, HoldsSession = true };
        var holder = new Candidate { Replica = Replica(), PrefixHitTokens = 900 };

        Assert.Equal(1, router.Choose(query, [holder with { PrefixHitTokens = 0 }, home]));
        Assert.Equal(0, router.Choose(query, [holder, home]));
        Assert.Equal(0, router.Choose(query, [holder with { PrefixHitTokens = 0 }, home with { Replica = home.Replica with { OutstandingTokens = 1e6 } }]));
        Assert.Equal(0, router.Choose(query, [holder with { PrefixHitTokens = 0 }, home with { Replica = home.Replica with { Report = new EngineReport { CachesPrefixes = false } } }]));
    }

    [Fact]
    public void Choose_OfAHotPrefix_StaysAtItsHolderAndSpreadsToASecondWhenItsLoadAsksForIt()
    {
        var router = new Router(() => RoutingPolicies.Plan(new RoutingOptions(), new Random(1)), new Random(2));
        var running = new int[4];
        var holds = new bool[4];
        var secondAt = 0;

        // Nothing ends: each arrival makes its replica busier by one answer. 10,000 of 10,500 prompt tokens are shared.
        for (var arrival = 1; arrival <= 200; arrival++)
        {
            var candidates = running.Select((count, slot) => new Candidate
            {
                Replica = Replica() with { Slot = slot, RunningSequences = count, ReservedTokens = 10_600L * count, OutstandingTokens = 100.0 * count },
                PrefixHitTokens = holds[slot] ? 10_000 : 0,
            }).ToArray();
            var query = new RoutingQuery(CorePool.Request(), CorePool.Cost(10_500, 100), new TrafficMeans(10_500, 100, 0.9));
            var choice = router.Choose(query, candidates);
            running[choice]++;
            holds[choice] = true;
            secondAt = secondAt == 0 && holds.Count(holder => holder) == 2 ? arrival : secondAt;
        }

        Assert.InRange(secondAt, 5, 100);
        Assert.All(holds, Assert.True);
        Assert.True(running.Max() <= 1.5 * running.Average(), $"{string.Join(", ", running)} is uneven");
    }

    private static double CostOf(Candidate candidate, double hitShare = 0, double lost = 0) => CostsOf(hitShare, lost, candidate)[0];

    private static double[] CostsOf(params Candidate[] candidates) => CostsOf(0, 0, candidates);

    private static double[] CostsOf(double hitShare, double lost, params Candidate[] candidates) => CostsOf(new TrafficMeans(1_000, 250, hitShare, lost), candidates);

    private static double[] CostsOf(TrafficMeans traffic, params Candidate[] candidates)
    {
        var seconds = new double[candidates.Length];
        var query = new RoutingQuery(CorePool.Request(), CorePool.Cost(1_000, 100), traffic);
        new AddedDelayScorer().Score(query, candidates, seconds);
        return seconds;
    }

    private static ReplicaSnapshot Replica() => new() { Id = "r", Health = ReplicaHealth.Up, Weight = 1, HasRoom = true, Report = EngineReport.Empty };
}
