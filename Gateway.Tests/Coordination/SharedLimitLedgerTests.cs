using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Coordination;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Coordination;

public sealed class SharedLimitLedgerTests
{
    private static readonly TokenAmount Little = new(1, 1);

    private readonly ManualTime _time = new();
    private readonly MemoryState _state;
    private readonly RedisOptions _options = new();

    public SharedLimitLedgerTests() => _state = new MemoryState(_time);

    [Fact]
    public async Task Reserve_AtSeveralGateways_SharesTheRequestsOfAMinute()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { RequestsPerMinute = 4 });

        var met = new List<LimitKind>();
        for (var i = 0; i < 6; i++)
        {
            met.Add((await (i % 2 == 0 ? a : b).ReserveAsync(tenant, Little)).Met);
        }

        Assert.Equal([LimitKind.None, LimitKind.None, LimitKind.None, LimitKind.None, LimitKind.Requests, LimitKind.Requests], met);
        foreach (var ledger in new[] { a, b, a, b })
        {
            await ledger.ExchangeAsync(default);
        }
        _time.Advance(TimeSpan.FromSeconds(15));
        Assert.Equal(LimitKind.None, (await b.ReserveAsync(tenant, Little)).Met);
        Assert.Equal(LimitKind.Requests, (await a.ReserveAsync(tenant, Little)).Met);
    }

    [Fact]
    public async Task Reserve_OfANewcomer_KnowsWhatWasUsedBeforeItCame()
    {
        var tenant = Of(new() { TokensPerMinute = 1_000 });
        await Ledger("a").ReserveAsync(tenant, new TokenAmount(500, 400));

        var verdict = await Ledger("b").ReserveAsync(tenant, new TokenAmount(100, 100));

        Assert.Equal((LimitKind.Tokens, 100L), (verdict.Met, verdict.Tokens!.Value.Remaining));
    }

    [Fact]
    public async Task Reserve_OfPlaces_CountsTheOthersUntilTheyEndOrDie()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { MaxConcurrent = 1 });
        await a.ReserveAsync(tenant, Little);
        Assert.Equal(LimitKind.Concurrency, (await b.ReserveAsync(tenant, Little)).Met);

        a.Settle(tenant, Little, Little);
        await a.ExchangeAsync(default);
        await b.ExchangeAsync(default);
        Assert.Equal(LimitKind.None, (await b.ReserveAsync(tenant, Little)).Met);
        Assert.Equal(LimitKind.Concurrency, (await a.ReserveAsync(tenant, Little)).Met);
        _time.Advance(_options.Lease + TimeSpan.FromMilliseconds(1));
        await a.ExchangeAsync(default);

        // b never said another word.
        Assert.Equal(LimitKind.None, (await a.ReserveAsync(tenant, Little)).Met);
    }

    [Fact]
    public async Task Exchange_WhileAPlaceIsHeld_KeepsItForAsLongAsItTakes()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { MaxConcurrent = 1 });
        await a.ReserveAsync(tenant, Little);

        for (var i = 0; i < 10; i++)
        {
            _time.Advance(_options.Lease);
            await a.ExchangeAsync(default);
        }

        Assert.Equal(LimitKind.Concurrency, (await b.ReserveAsync(tenant, Little)).Met);
    }

    [Fact]
    public async Task Reserve_OfADaysBudget_CountsWhatADeadGatewaySpent()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { DailyTokens = 1_000 });
        await a.ReserveAsync(tenant, new TokenAmount(400, 400));
        a.Settle(tenant, new TokenAmount(400, 400), new TokenAmount(400, 500));
        await a.ExchangeAsync(default);
        _time.Advance(TimeSpan.FromHours(2));

        Assert.Equal(LimitKind.DailyTokens, (await b.ReserveAsync(tenant, new TokenAmount(60, 60))).Met);
        Assert.Equal(LimitKind.None, (await b.ReserveAsync(tenant, new TokenAmount(50, 50))).Met);
        _time.Advance(TimeSpan.FromHours(22));
        Assert.Equal(LimitKind.None, (await b.ReserveAsync(tenant, new TokenAmount(400, 400))).Met);
    }

    [Fact]
    public async Task Reserve_WhileTheStateIsGone_GoesByItsOwnViewAndTellsWhenItIsBack()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { RequestsPerMinute = 3 });
        await b.ReserveAsync(tenant, Little);
        _state.IsGone = true;

        Assert.Equal(LimitKind.None, (await a.ReserveAsync(tenant, Little)).Met);
        Assert.Equal(LimitKind.None, (await a.ReserveAsync(tenant, Little)).Met);
        Assert.Equal(2, a.Failures);
        _state.IsGone = false;
        _state.Flush();
        await a.ExchangeAsync(default);

        Assert.Equal(LimitKind.Requests, (await b.ReserveAsync(tenant, Little)).Met);
    }

    [Fact]
    public async Task Reserve_OfAStateThatHangs_DecidesAtTheDeadline()
    {
        var tenant = Of(new() { RequestsPerMinute = 3 });
        var ledger = new SharedLimitLedger(new LimitLedger(_time), new Hanging(), _options, _time);

        var asked = ledger.ReserveAsync(tenant, Little).AsTask();
        Assert.False(asked.IsCompleted);
        _time.Advance(_options.LimitDeadline);

        Assert.Equal(LimitKind.None, (await asked.ComesAsync("the own view")).Met);
        Assert.Equal(1, ledger.Failures);
    }

    [Fact]
    public async Task Reserve_OfATenantWithoutLimits_AsksNobody()
    {
        var ledger = new SharedLimitLedger(new LimitLedger(_time), new Hanging(), _options, _time);

        var asked = ledger.ReserveAsync(Of(new()), Little);

        Assert.True(asked.IsCompletedSuccessfully);
        Assert.Equal(LimitKind.None, (await asked).Met);
    }

    [Fact]
    public async Task Reserve_OfManyAtRandom_NeverLetsMoreInThanTheLimitAndReturnsEveryPlace()
    {
        const int seed = 5;
        var chance = new Random(seed);
        var ledgers = new[] { Ledger("a"), Ledger("b"), Ledger("c") };
        var tenant = Of(new() { MaxConcurrent = 7 });
        var inside = new List<SharedLimitLedger>();
        for (var i = 0; i < 2_000; i++)
        {
            var ledger = ledgers[chance.Next(3)];
            if (chance.Next(2) == 0 && inside.Count > 0)
            {
                var leaving = chance.Next(inside.Count);
                inside[leaving].Settle(tenant, Little, Little);
                inside.RemoveAt(leaving);
            }
            else if ((await ledger.ReserveAsync(tenant, Little)).Met == LimitKind.None)
            {
                inside.Add(ledger);
            }
            Assert.True(inside.Count <= 7, $"seed {seed}, step {i}: {inside.Count} inside");
        }
        inside.ForEach(ledger => ledger.Settle(tenant, Little, Little));
        // All have told, and then all have heard.
        foreach (var ledger in ledgers.Concat(ledgers))
        {
            await ledger.ReserveAsync(tenant, Little);
            ledger.Settle(tenant, Little, Little);
            await ledger.ExchangeAsync(default);
        }

        Assert.Equal(LimitKind.None, (await ledgers[0].ReserveAsync(Of(new() { MaxConcurrent = 1 }), Little)).Met);
    }

    private static Tenant Of(LimitOptions limits) => new() { Name = "t", Key = 42, Limits = limits };

    private SharedLimitLedger Ledger(string gateway) => new(new LimitLedger(_time), _state.Join(gateway), _options, _time);

    private sealed class Hanging : ISharedState
    {
        public async ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return [];
        }

        public async ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return default;
        }
    }
}
