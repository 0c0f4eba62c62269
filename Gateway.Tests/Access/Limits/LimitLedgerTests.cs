using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Access.Limits;

public sealed class LimitLedgerTests
{
    private readonly ManualTime _time = new();
    private readonly LimitLedger _ledger;

    public LimitLedgerTests() => _ledger = new LimitLedger(_time);

    [Fact]
    public void Reserve_BeyondRequestsPerMinute_WaitsForTheNextToGrow()
    {
        var tenant = Of(new() { RequestsPerMinute = 2 });

        var verdicts = Enumerable.Range(0, 3).Select(_ => Reserve(tenant)).ToArray();
        Assert.Equal([LimitKind.None, LimitKind.None, LimitKind.Requests], verdicts.Select(verdict => verdict.Met));
        Assert.Equal(TimeSpan.FromSeconds(30), verdicts[2].RetryAfter);
        Assert.Equal(new LimitState(2, 1, TimeSpan.FromSeconds(30)), verdicts[0].Requests);
        Assert.Equal(new LimitState(2, 0, TimeSpan.FromMinutes(1)), verdicts[2].Requests);

        _time.Advance(TimeSpan.FromSeconds(30));
        Assert.Equal(LimitKind.None, Reserve(tenant).Met);
    }

    [Fact]
    public void Reserve_WithTokens_ReservesTheEstimateAndSettlesByWhatWasUsed()
    {
        var tenant = Of(new() { TokensPerMinute = 1_000 });
        var expected = new TokenAmount(300, 400);

        Assert.Equal(300, Reserve(tenant, expected).Tokens!.Value.Remaining);
        var over = Reserve(tenant, expected);
        Assert.Equal((LimitKind.Tokens, TimeSpan.FromSeconds(24)), (over.Met, Rounded(over.RetryAfter)));
        _ledger.Settle(tenant, expected, new TokenAmount(300, 20));

        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(280, 400)).Met);
        Assert.Equal(new TokenAmount(300, 20), _ledger.Find("t")!.Charged);
    }

    [Fact]
    public void Settle_WithMoreThanExpected_LeavesADebtThatTimePaysOff()
    {
        var tenant = Of(new() { OutputTokensPerMinute = 600 });
        Reserve(tenant, new TokenAmount(0, 100));
        _ledger.Settle(tenant, new TokenAmount(0, 100), new TokenAmount(0, 1_200));

        var verdict = Reserve(tenant, new TokenAmount(0, 10));

        Assert.Equal((LimitKind.Tokens, 0L), (verdict.Met, verdict.Tokens!.Value.Remaining));
        Assert.Equal(TimeSpan.FromSeconds(61), Rounded(verdict.RetryAfter));
        _time.Advance(TimeSpan.FromSeconds(61));
        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(0, 10)).Met);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Settle_LongAfterTheReservation_ChargesTheSameWhetherOrNotAnybodyAskedInBetween(bool isAsked)
    {
        var tenant = Of(new() { OutputTokensPerMinute = 600 });
        Reserve(tenant, new TokenAmount(0, 100));
        _time.Advance(TimeSpan.FromMinutes(5));
        if (isAsked)
        {
            Reserve(tenant, TokenAmount.None);
        }
        _ledger.Settle(tenant, new TokenAmount(0, 100), new TokenAmount(0, 1_300));

        var verdict = Reserve(tenant, new TokenAmount(0, 10));

        Assert.Equal((LimitKind.Tokens, TimeSpan.FromSeconds(61)), (verdict.Met, Rounded(verdict.RetryAfter)));
    }

    [Fact]
    public void Reserve_OfMoreThanAWholeMinutesTokens_GoesWhenNothingElseWasUsed()
    {
        var tenant = Of(new() { InputTokensPerMinute = 100 });

        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(5_000, 0)).Met);
        Assert.Equal(LimitKind.Tokens, Reserve(tenant, new TokenAmount(1, 0)).Met);
    }

    [Fact]
    public void Reserve_BeyondTheConcurrentOnes_GoesWhenOneHasEnded()
    {
        var tenant = Of(new() { MaxConcurrent = 1, TokensPerMinute = 1_000 });

        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(1, 1)).Met);
        var refused = Reserve(tenant, new TokenAmount(1, 1));
        Assert.Equal((LimitKind.Concurrency, 998L), (refused.Met, refused.Tokens!.Value.Remaining));
        _ledger.Settle(tenant, new TokenAmount(1, 1), TokenAmount.None);

        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(1, 1)).Met);
    }

    [Fact]
    public void Reserve_BeyondTheDaysTokens_WaitsForMidnight()
    {
        var tenant = Of(new() { DailyTokens = 100 });
        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(10, 50)).Met);
        Assert.Equal(LimitKind.DailyTokens, Reserve(tenant, new TokenAmount(10, 50)).Met);
        _ledger.Settle(tenant, new TokenAmount(10, 50), new TokenAmount(10, 85));

        var verdict = Reserve(tenant, new TokenAmount(5, 1));
        Assert.Equal((LimitKind.DailyTokens, TimeSpan.FromHours(12)), (verdict.Met, verdict.RetryAfter));
        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(5, 0)).Met);

        _time.Advance(TimeSpan.FromHours(12));
        Assert.Equal(LimitKind.None, Reserve(tenant, new TokenAmount(5, 90)).Met);
    }

    [Fact]
    public void Reserve_ByAnotherTenant_IsAnotherAccount()
    {
        Reserve(Of(new() { MaxConcurrent = 1 }));

        Assert.Equal(LimitKind.None, Reserve(Of(new() { MaxConcurrent = 1 }, "other")).Met);
    }

    [Fact]
    public void Reserve_AfterALimitCameOrChanged_StartsFullAndStaysWithinIt()
    {
        Reserve(Of(new()), new TokenAmount(1_000, 1_000));
        Assert.Equal(60, Reserve(Of(new() { TokensPerMinute = 60 }), TokenAmount.None).Tokens!.Value.Remaining);
        Assert.Equal(10, Reserve(Of(new() { TokensPerMinute = 10 }), TokenAmount.None).Tokens!.Value.Remaining);
    }

    // Whatever is asked at once and however it ends: what was served is what is charged, places come back, nothing is negative.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Settle_OfEverythingAtRandom_ChargesExactlyWhatWasServed(int seed)
    {
        var chance = new Random(seed);
        var limits = new LimitOptions { RequestsPerMinute = 2_000, TokensPerMinute = 200_000, OutputTokensPerMinute = 150_000, MaxConcurrent = 12, DailyTokens = 50_000_000 };
        var tenants = Enumerable.Range(0, 3).Select(i => Of(limits, $"t{i}")).ToArray();
        var open = new List<(Tenant Tenant, TokenAmount Expected)>();
        var served = tenants.ToDictionary(tenant => tenant.Name, _ => TokenAmount.None);
        var refused = 0;
        for (var i = 0; i < 20_000; i++)
        {
            _time.Advance(TimeSpan.FromMilliseconds(chance.Next(60)));
            var tenant = tenants[chance.Next(3)];
            var expected = new TokenAmount(chance.Next(2_000), chance.Next(800));
            var verdict = Reserve(tenant, expected);
            Assert.True(verdict is { Requests: { Remaining: >= 0, Reset.Ticks: >= 0 }, Tokens: { Remaining: >= 0, Reset.Ticks: >= 0 } } && verdict.RetryAfter >= TimeSpan.Zero, $"seed {seed}, step {i}: {verdict}");
            if (verdict.Met == LimitKind.None)
            {
                open.Add((tenant, expected));
            }
            else
            {
                refused++;
            }
            while (open.Count > 0 && chance.Next(2) == 0)
            {
                End(open, chance, served);
            }
            Assert.All(tenants, each => Assert.InRange(_ledger.Find(each.Name)?.Running ?? 0, 0, 12));
        }
        while (open.Count > 0)
        {
            End(open, chance, served);
        }

        Assert.InRange(refused, 100, 19_000);
        Assert.All(tenants, tenant =>
        {
            var account = _ledger.Find(tenant.Name)!;
            Assert.Equal((0, 0L, served[tenant.Name]), (account.Running, account.ReservedTokens, account.Charged));
        });
    }

    [Fact]
    public async Task Reserve_FromManyThreads_NeverLetsMoreInThanTheLimit()
    {
        var tenant = Of(new() { MaxConcurrent = 5 });
        var (inside, most) = (0, 0);

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 5_000; i++)
            {
                if (Reserve(tenant).Met != LimitKind.None)
                {
                    continue;
                }
                var now = Interlocked.Increment(ref inside);
                for (var seen = Volatile.Read(ref most); now > seen && Interlocked.CompareExchange(ref most, now, seen) != seen; seen = Volatile.Read(ref most))
                {
                }
                Interlocked.Decrement(ref inside);
                _ledger.Settle(tenant, TokenAmount.None, new TokenAmount(1, 1));
            }
        })));

        Assert.InRange(most, 1, 5);
        Assert.Equal((0, 0L), (_ledger.Find("t")!.Running, _ledger.Find("t")!.ReservedTokens));
    }

    private void End(List<(Tenant Tenant, TokenAmount Expected)> open, Random chance, Dictionary<string, TokenAmount> served)
    {
        var at = chance.Next(open.Count);
        var (tenant, expected) = open[at];
        open.RemoveAt(at);
        var used = chance.Next(4) switch
        {
            0 => TokenAmount.None,
            1 => new TokenAmount(expected.Input, chance.Next(4_000)),
            _ => new TokenAmount(chance.Next(2_000), chance.Next(800)),
        };
        var before = served[tenant.Name];
        served[tenant.Name] = new TokenAmount(before.Input + used.Input, before.Output + used.Output);
        _ledger.Settle(tenant, expected, used);
    }

    private LimitVerdict Reserve(Tenant tenant, TokenAmount expected = default) => _ledger.ReserveAsync(tenant, expected).AsTask().Result;

    private static TimeSpan Rounded(TimeSpan span) => TimeSpan.FromSeconds(Math.Round(span.TotalSeconds, 3));

    private static Tenant Of(LimitOptions limits, string name = "t") => new() { Name = name, Key = 1, Limits = limits };
}
