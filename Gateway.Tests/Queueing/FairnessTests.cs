using Gateway.Estimation;
using Gateway.Queueing;
using Gateway.Queueing.Orders;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Queueing;

/// <summary>Who gets the turns where clients share them, and how far they can drift apart.</summary>
public sealed class FairnessTests(ITestOutputHelper output) : IDisposable
{
    private readonly CorePool _world = new();
    private readonly CachedBeginnings _cached = new();
    private readonly List<Waiter> _waiting = [];
    private IQueueOrder _order = new FcfsOrder();

    public void Dispose() => _world.Dispose();

    [Fact]
    public void Select_ByVtcAroundAnotherOrder_LetsItDecideWithinAClient()
    {
        _order = Order("sjf", FairnessMode.Vtc);
        Enter("long", 0, CorePool.Cost(100, 500), tenant: 1);
        Enter("short", 1, CorePool.Cost(100, 5), tenant: 1);
        Enter("other", 2, CorePool.Cost(100, 50), tenant: 2);

        // Equal at first: the first come is client 1's, and its shortest goes. 110 against 0, then 200.
        Assert.Equal("short other long", Schedule(at: 3));
    }

    [Fact]
    public void Select_ByVtc_ChargesOnlyWhatHadToBeComputed()
    {
        _order = Order("fcfs", FairnessMode.Vtc);
        Enter("a1", 0, CorePool.Cost(1_000, 10), tenant: 1);
        Enter("a2", 1, CorePool.Cost(1_000, 10), tenant: 1);
        Enter("b1", 2, CorePool.Cost(100, 10), tenant: 2);
        Enter("b2", 3, CorePool.Cost(100, 10), tenant: 2);
        _cached.Tokens["a1"] = 950;

        // 50 + 2 x 10 = 70 of the one against 120 of the other.
        Assert.Equal("a1 b1 a2 b2", Schedule(at: 4));
    }

    [Fact]
    public void Select_ByDlpm_KeepsACachedPromptGoingWithinItsQuantumOnly()
    {
        _order = Order("fcfs", FairnessMode.Dlpm, quantum: 256);
        for (var i = 1; i <= 4; i++)
        {
            Enter($"a{i}", i, CorePool.Cost(1_000, 50), tenant: 1);
            _cached.Tokens[$"a{i}"] = 900;
        }
        Enter("b1", 0, CorePool.Cost(100, 50), tenant: 2);
        Enter("b2", 5, CorePool.Cost(100, 50), tenant: 2);

        // Each costs 200: two of a are within 256, then b has its two, and a new round begins.
        Assert.Equal("a1 a2 b1 b2 a3 a4", Schedule(at: 6));
    }

    [Theory]
    [InlineData(FairnessMode.Vtc, "s1 a1 s2 a2 s3")]
    [InlineData(FairnessMode.Dlpm, "s1 s2 a1 a2 s3")]
    public void Select_OfRequestsWithoutAKey_CountsThemAsOneClientsBesideTheOthers(FairnessMode fairness, string turns)
    {
        _order = Order("fcfs", fairness, quantum: 256);
        for (var i = 1; i <= 3; i++)
        {
            Enter($"s{i}", i, CorePool.Cost(100, 50), tenant: 0);
        }
        Enter("a1", 4, CorePool.Cost(100, 50), tenant: 1);
        Enter("a2", 5, CorePool.Cost(100, 50), tenant: 1);

        // Each costs 200.
        Assert.Equal(turns, Schedule(at: 6));
    }

    [Fact]
    public void Select_ByDlpmOfEquallyCached_LetsTheOrderDecide()
    {
        _order = Order("sjf", FairnessMode.Dlpm, quantum: 100_000);
        Enter("cold", 0, CorePool.Cost(100, 1), tenant: 1);
        Enter("long", 1, CorePool.Cost(100, 500), tenant: 1);
        Enter("short", 2, CorePool.Cost(100, 50), tenant: 2);
        (_cached.Tokens["long"], _cached.Tokens["short"]) = (64, 64);

        Assert.Equal("short long cold", Schedule(at: 3));
    }

    [Fact]
    public void Select_ByDlpmOfAPromptThatNobodyShares_ServesItAfterTheLongestWait()
    {
        _order = Order("fcfs", FairnessMode.Dlpm, quantum: 100_000);
        Enter("cold", 0, CorePool.Cost(100, 50), tenant: 1);
        Enter("warm", 15, CorePool.Cost(100, 50), tenant: 1);
        _cached.Tokens["warm"] = 64;

        Assert.Equal("warm cold", Schedule(at: 19));
        Enter("cold", 0, CorePool.Cost(100, 50), tenant: 1);
        Enter("warm", 15, CorePool.Cost(100, 50), tenant: 1);
        Assert.Equal("cold warm", Schedule(at: 21));
    }

    [Fact]
    public void Select_UnderPromotion_PutsWhoWaitedASpanMoreFirst()
    {
        _order = QueueOrders.Create(new QueueOptions { Order = "sjf", Rescue = RescueMode.Promotion, OldestFirstAfter = TimeSpan.FromSeconds(10) }, _cached);
        Enter("long", 0, CorePool.Cost(100, 500));
        Enter("middle", 2, CorePool.Cost(100, 50));
        Enter("short", 9, CorePool.Cost(100, 5));

        // At 9 s nobody was promoted; at 13 s two were, and of them the shorter goes; at 21 s the longest was promoted twice.
        Assert.Equal("short", Next(at: 9));
        Assert.Equal("middle", Next(at: 13));
        Assert.Equal("long", Next(at: 21));
    }

    [Theory]
    [InlineData("fcfs")]
    [InlineData("sjf")]
    [InlineData("boost")]
    [InlineData("wspt")]
    [InlineData("edf")]
    [InlineData("larry")]
    [InlineData("ssjf")]
    [InlineData("ltr")]
    [InlineData("mlfq")]
    public void Select_UnderPromotionOfAnyOrder_IsNeverPassedByOneThatCameASpanLater(string order)
    {
        var chance = new Random(71);
        output.WriteLine("seed 71");
        var span = TimeSpan.FromSeconds(3);
        _order = QueueOrders.Create(new QueueOptions { Order = order, Rescue = RescueMode.Promotion, OldestFirstAfter = span }, _cached);
        var now = 0.0;
        for (var i = 0; i < 2_000; i++)
        {
            now += chance.NextDouble() * 0.4;
            if (_waiting.Count == 0 || (chance.Next(2) == 0 && _waiting.Count < 60))
            {
                Enter($"{i}", now, CorePool.Cost(chance.Next(1, 2_000), chance.Next(1, 900)), session: (ulong)chance.Next(5));
                continue;
            }
            var oldest = _waiting.Min(waiter => waiter.ArrivedAt);
            var next = Take(now);
            Assert.True(next.ArrivedAt - oldest <= span || Promotions(next) == Promotions(_waiting.MinBy(waiter => waiter.ArrivedAt)!), $"{next.Request.Id} passed one that came {next.ArrivedAt - oldest} before");

            long Promotions(Waiter waiter) => (TimeSpan.FromSeconds(now) - waiter.ArrivedAt).Ticks / span.Ticks;
        }
    }

    [Theory]
    [InlineData(FairnessMode.Vtc, 31)]
    [InlineData(FairnessMode.Vtc, 32)]
    [InlineData(FairnessMode.Dlpm, 33)]
    [InlineData(FairnessMode.Dlpm, 34)]
    public void Select_OfClientsThatAlwaysWait_KeepsThemWithinTwoQuantaAndATurn(FairnessMode fairness, int seed)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        const int Quantum = 2_000;
        const int MostOfATurn = 1_000 + (2 * 400);
        _order = Order("boost", fairness, Quantum);
        var account = (IServiceAccount)_order;
        double[] weights = [1, 1, 2, 4];
        var served = new double[weights.Length];
        var running = new List<(Waiter Waiter, ServedTokens Charged)>();
        var (charged, number) = (0.0, 0);
        for (var turn = 0; turn < 3_000; turn++)
        {
            for (var client = 0; client < weights.Length; client++)
            {
                while (_waiting.Count(waiter => waiter.Request.TenantKey == (ulong)client + 1) < 2)
                {
                    var id = $"{++number}";
                    _cached.Tokens[id] = chance.Next(3) == 0 ? chance.Next(100) : 0;
                    Enter(id, turn, CorePool.Cost(chance.Next(100, 1_000), chance.Next(1, 400)), tenant: (ulong)client + 1, weight: weights[client]);
                }
            }
            var next = Take(turn, out var advance);
            running.Add((next, advance));
            Count(next, advance);
            if (running.Count > 20)
            {
                var at = chance.Next(running.Count);
                var (ended, before) = running[at];
                running.RemoveAt(at);
                // Answers are as long as expected here, so that only the order can make a difference; the prompt was cached further than believed.
                var real = before with { UncachedPromptTokens = before.UncachedPromptTokens / 2 };
                account.Charge(ended.Request, real - before);
                Count(ended, real - before);
            }
            // A settlement takes up to half of each prompt in flight back at once.
            Assert.True(served.Max() - served.Min() <= (2 * Quantum) + MostOfATurn + (21 * 500), $"turn {turn}: {string.Join(' ', served)}");
        }

        Assert.Equal(charged, served.Zip(weights, (tokens, weight) => tokens * weight).Sum(), charged * 1e-9);

        void Count(Waiter waiter, ServedTokens tokens)
        {
            var amount = tokens.UncachedPromptTokens + (2 * tokens.OutputTokens);
            served[waiter.Request.TenantKey - 1] += amount / waiter.Request.TenantWeight;
            charged += amount;
        }
    }

    [Fact]
    public void MayPass_OfAClientBeyondItsShare_IsRefused()
    {
        _order = new TokenCounterOrder(new FcfsOrder());
        Enter("f1", 0, CorePool.Cost(100, 50), tenant: 1);
        Enter("f2", 1, CorePool.Cost(100, 50), tenant: 1);
        Enter("light", 2, CorePool.Cost(900, 50), tenant: 2);
        Take(3);

        var fair = (IFairOrder)_order;
        Assert.False(fair.MayPass(_waiting[0], _waiting[1]));
        Assert.True(fair.MayPass(_waiting[1], _waiting[0]));
    }

    private IQueueOrder Order(string order, FairnessMode fairness, int quantum = 256) =>
        QueueOrders.Create(new QueueOptions { Order = order, Fairness = fairness, FairnessQuantumTokens = quantum }, _cached);

    private void Enter(string id, double at, RequestEstimate cost, ulong tenant = 0, double weight = 1, ulong session = 0)
    {
        var request = CorePool.Request(id, session: session) with { TenantKey = tenant, TenantWeight = weight };
        (_order as IServiceAccount)?.OnEntered(request, _waiting.Count == 0);
        _waiting.Add(new Waiter(_world.Dispatcher, request, cost, Constraints.None, _ => { })
        {
            ArrivedAt = TimeSpan.FromSeconds(at),
            Rank = _order.Rank(request, cost, TimeSpan.FromSeconds(at)),
            Sequence = _waiting.Count + (long)(1_000 * at),
        });
    }

    private string Next(double at) => Take(at).Request.Id;

    private Waiter Take(double at) => Take(at, out _);

    private Waiter Take(double at, out ServedTokens charged)
    {
        var next = _waiting[Selecting.Of(_order, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_waiting), TimeSpan.FromSeconds(at))];
        _waiting.Remove(next);
        charged = (_order as IServiceAccount)?.OnTurn(next.Request, next.Estimate, _cached.Tokens.GetValueOrDefault(next.Request.Id), TimeSpan.Zero) ?? default;
        return next;
    }

    private string Schedule(double at)
    {
        var turns = new List<string>();
        while (_waiting.Count > 0)
        {
            turns.Add(Next(at));
        }
        return string.Join(' ', turns);
    }
}
