using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Queueing;

/// <summary>Schedules computed by hand. Engine seconds: 0.0885 ms per prompt token, 0.6 ms per output token.</summary>
public sealed class QueueOrderTests : IDisposable
{
    private readonly CorePool _world = new();
    private readonly List<Waiter> _waiting = [];
    private IQueueOrder _order = new FcfsOrder();

    [Theory]
    [InlineData("fcfs", "A B C")]
    // 0.3885 s, 0.0389 s and 0.1289 s.
    [InlineData("sjf", "B C A")]
    // A's level 19 divides its 0.3885 s by 20: 0.0194.
    [InlineData("wspt", "A B C")]
    // In token-seconds, decoding and prefill: 13,500 + 44.25, 135 + 0.4425 and 864 + 0.4425.
    [InlineData("lamps", "B C A")]
    // Due at 30 s (batch), at 1 + 5 s (default) and at 2 + 3 s (its own limit).
    [InlineData("edf", "C B A")]
    // 0 - 12.97, 1 - 24.31 and 2 - 18.36.
    [InlineData("boost", "B C A")]
    public void Rank_ByEachConstantOrder_GivesItsSchedule(string order, string expected)
    {
        var ranking = QueueOrders.Create(new QueueOptions { Order = order, BoostPerSecond = 0.2 }, new CachedBeginnings());
        (string Id, double Rank)[] ranked =
        [
            ("A", ranking.Rank(CorePool.Request("A", PriorityClass.Batch, level: 19), CorePool.Cost(1_000, 500), Seconds(0))),
            ("B", ranking.Rank(CorePool.Request("B"), CorePool.Cost(100, 50), Seconds(1))),
            ("C", ranking.Rank(CorePool.Request("C") with { TimeToFirstTokenSlo = Seconds(3) }, CorePool.Cost(100, 200), Seconds(2))),
        ];

        Assert.Equal(expected, string.Join(' ', ranked.OrderBy(row => row.Rank).Select(row => row.Id)));
    }

    [Theory]
    [InlineData(0.2, 0.1, 19.61)]
    [InlineData(0.2, 0.5, 11.76)]
    [InlineData(0.2, 1, 8.54)]
    [InlineData(0.2, 5, 2.29)]
    [InlineData(0.05, 1, 60.4)]
    public void Rank_ByBoostOfAKnownSize_IsTheFormulas(double gamma, double seconds, double boost)
    {
        // The size as prefill alone.
        var cost = CorePool.Cost((int)Math.Round(seconds / ServiceTime.PrefillSecondsPerToken), 0);

        Assert.Equal(boost, new BoostOrder(gamma).BoostSeconds(cost), boost > 50 ? 0.05 : 0.01);
    }

    [Theory]
    [InlineData("vtc", 0.001)]
    [InlineData("vtc", 1_000)]
    [InlineData("dlpm", 0.001)]
    [InlineData("dlpm", 1_000)]
    public void Select_AtTheEndsOfATenantsWeight_ServesEverybody(string name, double weight)
    {
        using var world = new CorePool();
        world.Plan = world.Plan with { Order = QueueOrders.Create(new QueueOptions { Order = name }, new CachedBeginnings()) };
        var cost = CorePool.Cost(promptTokens: 1_000_000, outputTokens: 1_000_000);
        var first = world.Enter(CorePool.Request("first") with { TenantKey = 1, TenantWeight = weight }, cost);

        var waiting = Enumerable.Range(0, 20).Select(i => world.Enter(CorePool.Request($"{i}") with { TenantKey = (ulong)(1 + (i % 3)), TenantWeight = i % 3 == 1 ? 1 : weight }, cost));

        Assert.Equal(20, CorePool.Drain(first, [.. waiting]).Distinct().Count());
    }

    [Fact]
    public void Rank_ByBoostOfALongRequest_IsOvertakenOnlyByOnesThatCameSoonAfter()
    {
        var order = new BoostOrder(0.2);
        var longer = order.Rank(CorePool.Request(), CorePool.Cost(1_000, 500), Seconds(0));

        // 18.36 - 12.97 = 5.39 s later the shorter one is no longer first.
        Assert.True(order.Rank(CorePool.Request(), CorePool.Cost(100, 200), Seconds(5.3)) < longer);
        Assert.True(order.Rank(CorePool.Request(), CorePool.Cost(100, 200), Seconds(5.5)) > longer);
    }

    [Fact]
    public void Rank_ByBoostOfADistribution_TakesTheMomentOverIt()
    {
        // Half of the answers at 12 tokens or so, half at 1200: the middles of their bins count.
        var weights = new double[LengthHistogram.Bins];
        var (few, many) = (LengthHistogram.BinOf(12), LengthHistogram.BinOf(1_200));
        (weights[few], weights[many]) = (1, 1);
        var cost = new RequestEstimate(1_000, 500, new OutputLengthEstimate(new LengthDistribution(new LengthHistogram(weights), 1), 0, 100_000), 1);
        double Middle(int bin) => (LengthHistogram.EdgesOf(bin).Low + LengthHistogram.EdgesOf(bin).High) / 2;
        var moment = (Math.Exp(0.2 * (0.0885 + (0.0006 * Middle(few)))) + Math.Exp(0.2 * (0.0885 + (0.0006 * Middle(many))))) / 2;

        Assert.Equal(Math.Log(moment / (moment - 1)) / 0.2, new BoostOrder(0.2).BoostSeconds(cost), 1e-6);
    }

    [Fact]
    public void Rank_ByBoostOfAnEndlessAnswer_IsItsArrival()
    {
        var cost = CorePool.Cost(100_000_000, 100_000_000, sequences: 1_000);

        Assert.Equal(7, new BoostOrder(100).Rank(CorePool.Request(), cost, Seconds(7)), 1e-9);
    }

    [Fact]
    public void Rank_ByBoostWithoutAGamma_FollowsTheWaits()
    {
        var order = new BoostOrder(null);
        var atFirst = order.GammaPerSecond;
        for (var i = 0; i < 2_000; i++)
        {
            order.OnTurn(CorePool.Request(), CorePool.Cost(), 0, Seconds(50));
        }

        // The inverse of twice the mean wait, and never beyond its bounds.
        Assert.Equal((0.1, 0.01), (atFirst, Math.Round(order.GammaPerSecond, 6)));
    }

    [Fact]
    public void Rank_ByBoostAsTheWaitsChange_LeavesTheUsualRequestItsArrival()
    {
        var order = new BoostOrder(null);
        foreach (var waited in new[] { 0, 3, 40, 1 })
        {
            for (var i = 0; i < 200; i++)
            {
                order.OnTurn(CorePool.Request(), CorePool.Cost(100, 50), 0, Seconds(waited));
            }

            Assert.Equal(20, order.Rank(CorePool.Request(), CorePool.Cost(100, 50), Seconds(20)), 1e-6);
            Assert.True(order.Rank(CorePool.Request(), CorePool.Cost(100, 5), Seconds(20)) < 20);
            Assert.True(order.Rank(CorePool.Request(), CorePool.Cost(100, 500), Seconds(20)) > 20);
        }
    }

    [Fact]
    public void Rank_ByDeadline_TakesTheTighterOfBothLimits()
    {
        // Due at 10 - 0.3 s of its own for 500 tokens, and at 8 s where the first token is wanted then.
        var whole = CorePool.Request(deadline: Seconds(10));

        Assert.Equal(9.7, new DeadlineOrder(new ClassesOptions()).Rank(whole, CorePool.Cost(0, 500), Seconds(0)), 1e-9);
        Assert.Equal(8, new DeadlineOrder(new ClassesOptions()).Rank(whole with { TimeToFirstTokenSlo = Seconds(8) }, CorePool.Cost(0, 500), Seconds(0)), 1e-9);
    }

    [Fact]
    public void Select_ByLarryWithThreeWaiting_CountsPromptsByTheQueuesLength()
    {
        _order = new LarryOrder();
        Enter("A", 0, CorePool.Cost(1_000));
        Enter("B", 1, CorePool.Cost(100));
        Enter("C", 2, CorePool.Cost(10));

        // Three wait: 0 + 3.0, 1 + 0.3, 2 + 0.03. Then two: 0 + 2.0, 2 + 0.02.
        Assert.Equal("B A C", Schedule(at: 3));
    }

    [Fact]
    public void Select_ByLarryWithALongQueue_PutsTheLargePromptBack()
    {
        _order = new LarryOrder();
        Enter("A", 0, CorePool.Cost(1_000));
        Enter("B", 1, CorePool.Cost(10));
        for (var i = 0; i < 3; i++)
        {
            Enter($"C{i}", 2, CorePool.Cost(10));
        }

        // 0 + 5 against 1 + 0.05 and 2 + 0.05; with four 0 + 4, with three 0 + 3, with two 0 + 2 against 2 + 0.02.
        Assert.Equal("B C0 C1 A C2", Schedule(at: 3));
    }

    [Theory]
    // Estimates are 10.1 s, 0.2 s and 1.1 s; nobody starves.
    [InlineData(10, "B C A")]
    // A waited 100 s and no more, not ten times 10.1 s; C waited 95 s of an estimated 1.1 s, but only the oldest counts.
    [InlineData(100, "B C A")]
    // A waited more than 100 s; behind it C, the oldest, has waited more than 11 s.
    [InlineData(100.5, "A C B")]
    public void Select_BySsjfWithAStarvingOldest_ServesTheLongestWaitFirst(double at, string expected)
    {
        _order = new SsjfOrder();
        Enter("A", 0, CorePool.Cost(100, 500));
        Enter("B", 10, CorePool.Cost(100, 5));
        Enter("C", 5, CorePool.Cost(100, 50));

        Assert.Equal(expected, Schedule(at));
    }

    [Theory]
    [InlineData(4, "C A B")]
    [InlineData(9.5, "A B C")]
    public void Select_ByLtrAfterFiveSeconds_PromotesWhoWasPassedOver(double at, string expected)
    {
        _order = new PromotedShortestOrder();
        Enter("A", 0, CorePool.Cost(100, 100));
        Enter("B", 0.5, CorePool.Cost(100, 200));
        Enter("C", 5, CorePool.Cost(100, 5));

        Assert.Equal(expected, Schedule(at));
    }

    [Fact]
    public void Select_ByVtcWithAFlood_GivesEachClientTheSameTokens()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        for (var i = 1; i <= 4; i++)
        {
            Enter($"flood{i}", i, CorePool.Cost(100, 50), tenant: 1);
        }
        Enter("small", 5, CorePool.Cost(50, 25), tenant: 2);
        Enter("other", 6, CorePool.Cost(50, 25), tenant: 2);
        Enter("last", 7, CorePool.Cost(50, 25), tenant: 2);

        // A turn costs 100 + 2 x 50 = 200 or 50 + 2 x 25 = 100: 200 | 100, 200 (the older first at 200) and so on.
        Assert.Equal("flood1 small other flood2 last flood3 flood4", Schedule(at: 8));
    }

    [Fact]
    public void Select_ByVtcWithFlowsOfClientsWithoutAKey_SharesTheTurnsAmongThem()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        for (var i = 1; i <= 3; i++)
        {
            Enter($"flood{i}", i, CorePool.Cost(100, 50), flow: 8);
        }
        Enter("named", 5, CorePool.Cost(100, 50), flow: 9);
        Enter("unnamed", 6, CorePool.Cost(100, 50));

        Assert.Equal("flood1 named unnamed flood2 flood3", Schedule(at: 8));
    }

    [Fact]
    public void Select_ByVtcWithAClientThatWasIdle_GivesItNoCreditForThat()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        for (var i = 1; i <= 10; i++)
        {
            Enter($"a{i}", i, CorePool.Cost(100, 50), tenant: 1);
        }
        Schedule(at: 11);
        for (var i = 1; i <= 3; i++)
        {
            Enter($"b{i}", 20, CorePool.Cost(100, 50), tenant: 1);
            Enter($"c{i}", 20, CorePool.Cost(100, 50), tenant: 2);
        }

        // Nobody waited before: what the other took then is forgotten, and both start at its 2000.
        Assert.Equal("b1 c1 b2 c2 b3 c3", Schedule(at: 21));
    }

    [Fact]
    public void Select_ByVtcWithAnswersShorterThanExpected_GivesBackTheRest()
    {
        _order = new TokenCounterOrder(new FcfsOrder(), burstTokens: 100);
        Enter("a1", 0, CorePool.Cost(100, 50), tenant: 1);
        Enter("b1", 1, CorePool.Cost(100, 50), tenant: 2);
        Schedule(at: 2);
        ((IServiceAccount)_order).Charge(CorePool.Request() with { TenantKey = 2 }, new ServedTokens(0, 10 - 50));
        Enter("a2", 3, CorePool.Cost(100, 50), tenant: 1);
        Enter("b2", 4, CorePool.Cost(100, 50), tenant: 2);

        Assert.Equal("b2 a2", Schedule(at: 5));
    }

    [Fact]
    public void Select_ByVtcWithWeights_SharesTheTurnsByThem()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        for (var i = 1; i <= 6; i++)
        {
            Enter($"h{i}", 0, CorePool.Cost(100, 50), tenant: 1, weight: 2);
            Enter($"l{i}", 0, CorePool.Cost(100, 50), tenant: 2, weight: 1);
        }

        var first = Schedule(at: 1).Split(' ')[..9];

        Assert.Equal((6, 3), (first.Count(id => id[0] == 'h'), first.Count(id => id[0] == 'l')));
    }

    [Fact]
    public void Select_ByVtcWithFlows_SharesATenantsTurnsAmongThem()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        for (var i = 1; i <= 4; i++)
        {
            Enter($"a{i}", 0, CorePool.Cost(100, 50), tenant: 1, flow: 11);
        }
        Enter("b1", 1, CorePool.Cost(100, 50), tenant: 1, flow: 12);
        Enter("c1", 1, CorePool.Cost(100, 50), tenant: 2);

        Assert.Equal("a1 c1 b1 a2 a3 a4", Schedule(at: 2));
    }

    [Fact]
    public void Select_ByMlfqOverTheTurnsOfSessions_PutsTheLeastServedLevelFirst()
    {
        _order = new AttainedServiceOrder(TimeSpan.FromHours(1));
        var account = (IServiceAccount)_order;
        var long1 = CorePool.Request("x", session: 1);
        account.OnTurn(long1, CorePool.Cost(100), 0, TimeSpan.Zero);
        account.Charge(long1, new ServedTokens(0, 100));
        // Served 0.06885 s, quantum 0.08: level 3. Prompts of 0.0885 s ask for level 4, of 0.00885 s for level 0.
        Enter("served", 0, CorePool.Cost(100), session: 1);
        Enter("large", 1, CorePool.Cost(1_000), session: 2);
        Enter("fresh", 2, CorePool.Cost(100), session: 3);

        Assert.Equal("fresh served large", Schedule(at: 3));
    }

    [Fact]
    public void Rank_OfEverySelectingOrder_IsFinite() => Assert.All(QueueOrders.Names, name =>
        Assert.True(double.IsFinite(QueueOrders.Create(new QueueOptions { Order = name }, new CachedBeginnings()).Rank(CorePool.Request(), CorePool.Cost(0, 0), Seconds(1)))));

    public void Dispose() => _world.Dispose();

    private static TimeSpan Seconds(double seconds) => TimeSpan.FromSeconds(seconds);

    private void Enter(string id, double at, RequestEstimate cost, ulong tenant = 0, ulong session = 0, double weight = 1, ulong flow = 0)
    {
        var request = CorePool.Request(id, session: session) with { TenantKey = tenant, TenantWeight = weight, FlowKey = flow };
        (_order as IServiceAccount)?.OnEntered(request, _waiting.Count == 0);
        _waiting.Add(new Waiter(_world.Dispatcher, request, cost, Constraints.None, _ => { })
        {
            ArrivedAt = Seconds(at),
            Rank = _order.Rank(request, cost, Seconds(at)),
            Sequence = _waiting.Count + (long)(1_000 * at),
        });
    }

    /// <summary>Who gets the turns, one after another, at one moment.</summary>
    private string Schedule(double at)
    {
        var turns = new List<string>();
        while (_waiting.Count > 0)
        {
            var next = _waiting[((IQueueSelector)_order).Select(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_waiting), Seconds(at))];
            _waiting.Remove(next);
            (_order as IServiceAccount)?.OnTurn(next.Request, next.Estimate, 0, Seconds(at) - next.ArrivedAt);
            turns.Add(next.Request.Id);
        }
        return string.Join(' ', turns);
    }
}
