using System.Globalization;
using System.Text;
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

    [Theory]
    [InlineData(LimitKind.Concurrency)]
    [InlineData(LimitKind.DailyTokens)]
    public async Task Reserve_LongAfterTheOthersGaveTheirPlacesBack_IsNotRefusedForThem(LimitKind kind)
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(kind == LimitKind.Concurrency ? new() { MaxConcurrent = 1 } : new() { DailyTokens = 1_000 });
        var most = new TokenAmount(500, 500);
        await a.ReserveAsync(tenant, most);
        Assert.Equal(kind, (await b.ReserveAsync(tenant, Little)).Met);
        await a.ExchangeAsync(default);
        await b.ExchangeAsync(default);

        a.Settle(tenant, most, Little);
        await a.ExchangeAsync(default);
        await b.ExchangeAsync(default);

        Assert.Equal(LimitKind.None, (await b.ReserveAsync(tenant, Little)).Met);
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
        var ledger = new SharedLimitLedger(new LimitLedger(_time), "a", new Hanging(), _options, _time);

        var asked = ledger.ReserveAsync(tenant, Little).AsTask();
        Assert.False(asked.IsCompleted);
        _time.Advance(_options.LimitDeadline);

        Assert.Equal(LimitKind.None, (await asked.ComesAsync("the own view")).Met);
        Assert.Equal(1, ledger.Failures);
    }

    [Fact]
    public async Task Reserve_OfATenantWithoutLimits_AsksNobody()
    {
        var ledger = new SharedLimitLedger(new LimitLedger(_time), "a", new Hanging(), _options, _time);

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

    [Fact]
    public async Task Reserve_WhileAnswersOvertakeEachOther_NeverLetsMoreInThanAMinutesRequests()
    {
        for (var seed = 1; seed <= 300; seed++)
        {
            var chance = new Random(seed);
            var (state, most) = (new MemoryState(_time), chance.Next(1, 8));
            var late = Enumerable.Range(0, 4).Select(i => new Late(state.Join(i.ToString(CultureInfo.InvariantCulture)))).ToArray();
            var ledgers = late.Select((access, i) => new SharedLimitLedger(new LimitLedger(_time), i.ToString(CultureInfo.InvariantCulture), access, _options, _time)).ToArray();
            var tenant = Of(new() { RequestsPerMinute = most });
            var (asked, exchanges) = (new List<Task<LimitVerdict>>(), new List<Task>());
            for (var i = 0; i < 60; i++)
            {
                var (at, what) = (chance.Next(4), chance.Next(4));
                if (what == 0)
                {
                    asked.Add(ledgers[at].ReserveAsync(tenant, Little).AsTask());
                }
                else if (what == 1)
                {
                    exchanges.Add(ledgers[at].ExchangeAsync(default));
                }
                else
                {
                    late[at].AnswerOne(chance);
                }
            }
            while (late.Any(access => access.AnswerOne(chance)))
            {
            }
            await Task.WhenAll(exchanges);
            var verdicts = await Task.WhenAll(asked);

            Assert.True(verdicts.Count(verdict => verdict.Met == LimitKind.None) <= most, $"seed {seed}: more than {most} let in");
            Assert.Equal(0, ledgers.Sum(ledger => ledger.Failures));
        }
    }

    [Fact]
    public async Task Exchange_WithOneThatCountedAnotherAndOneThatCountedNobody_KnowsTheUseOfBoth()
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { RequestsPerMinute = 3 });
        var c = new SharedLimitLedger(new LimitLedger(_time), "c", new Late(_state.Join("c")), _options, _time);
        await a.ReserveAsync(tenant, Little);
        await b.ReserveAsync(tenant, Little);
        // Posted, and its answer never came: c has counted nobody.
        var unheard = c.ReserveAsync(tenant, Little);

        await a.ExchangeAsync(default);

        Assert.Equal(LimitKind.Requests, (await a.ReserveAsync(tenant, Little)).Met);
        Assert.False(unheard.IsCompleted);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Reserve_BesideAnEntryOfLongAgo_IsNotChargedWhatHasGrownAgain(bool isNew)
    {
        var (a, b) = (Ledger("a"), Ledger("b"));
        var tenant = Of(new() { TokensPerMinute = 1_000 });
        await a.ReserveAsync(tenant, new TokenAmount(100, 100));
        await b.ReserveAsync(tenant, new TokenAmount(100, 100));
        await a.ExchangeAsync(default);
        for (var i = 0; i < 60; i++)
        {
            _time.Advance(TimeSpan.FromMinutes(1));
            Assert.Equal(LimitKind.None, (await a.ReserveAsync(tenant, new TokenAmount(400, 400))).Met);
        }
        _time.Advance(TimeSpan.FromMinutes(1));
        if (!isNew)
        {
            _state.Flush();
            await b.ReserveAsync(tenant, Little);
        }

        Assert.Equal(LimitKind.None, (await (isNew ? Ledger("c") : a).ReserveAsync(tenant, new TokenAmount(300, 300))).Met);
    }

    [Fact]
    public async Task Exchange_ThatFailsWhileNewLimitsCome_GoesOnWithTheNewOnes()
    {
        var (older, newer) = (Of(new() { MaxConcurrent = 9 }), Of(new() { RequestsPerMinute = 1 }));
        var (own, state) = (new LimitLedger(_time), new Interrupted(_state.Join("a")));
        var ledger = new SharedLimitLedger(own, "a", state, _options, _time);
        await ledger.ReserveAsync(older, Little);
        state.Meanwhile = async () =>
        {
            await own.ReserveAsync(newer, Little);
            ledger.Settle(newer, Little, Little);
        };

        await Assert.ThrowsAsync<IOException>(() => ledger.ExchangeAsync(default));
        await ledger.ExchangeAsync(default);

        // The older limits know no requests per minute, and would begin them anew.
        Assert.Equal(LimitKind.Requests, (await ledger.ReserveAsync(newer, Little)).Met);
    }

    [Fact]
    public async Task Exchange_AfterARequestOfOlderLimitsEnds_GoesOnWithTheNewOnes()
    {
        var (older, newer) = (Of(new() { MaxConcurrent = 9 }), Of(new() { RequestsPerMinute = 1 }));
        var ledger = Ledger("a");
        await ledger.ReserveAsync(older, Little);
        await ledger.ReserveAsync(newer, Little);
        await ledger.ExchangeAsync(default);

        ledger.Settle(older, Little, Little);
        await ledger.ExchangeAsync(default);

        Assert.Equal(LimitKind.Requests, (await ledger.ReserveAsync(newer, Little)).Met);
    }

    [Theory]
    [InlineData("{\"levels\":{\"requests\":-1e30}}")]
    [InlineData("{\"taken\":{\"requests\":-5}}")]
    [InlineData("{\"running\":2147483647}")]
    [InlineData("{\"counted\":null}")]
    [InlineData("{\"counted\":{\"a\":{\"requests\":9000000000000000000}}}")]
    [InlineData("[1]")]
    [InlineData("no JSON")]
    public async Task Reserve_BesideAnEntryThatNoGatewayWrote_LeavesItAside(string entry)
    {
        var tenant = Of(new() { RequestsPerMinute = 3, MaxConcurrent = 3 });
        await _state.Join("strange").PostAsync("limits:" + tenant.KeyText, Encoding.UTF8.GetBytes(entry), TimeSpan.FromHours(1), default);
        var a = Ledger("a");

        var met = new List<LimitKind>();
        for (var i = 0; i < 4; i++)
        {
            met.Add((await a.ReserveAsync(tenant, Little)).Met);
        }

        Assert.Equal([LimitKind.None, LimitKind.None, LimitKind.None, LimitKind.Requests], met);
        Assert.Equal(0, a.Failures);
    }

    private static Tenant Of(LimitOptions limits) => new() { Name = "t", Key = 42, Limits = limits };

    private SharedLimitLedger Ledger(string gateway) => new(new LimitLedger(_time), gateway, _state.Join(gateway), _options, _time);

    // What is posted is there at once; the answers come when told, in any order.
    private sealed class Late(ISharedState state) : ISharedState
    {
        private readonly List<Action> _answers = [];

        public bool AnswerOne(Random chance)
        {
            if (_answers.Count == 0)
            {
                return false;
            }
            var at = chance.Next(_answers.Count);
            var answer = _answers[at];
            _answers.RemoveAt(at);
            answer();
            return true;
        }

        public async ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken)
        {
            var others = await state.PostAsync(board, entry, lease, cancellationToken);
            var answered = new TaskCompletionSource();
            _answers.Add(answered.SetResult);
            await answered.Task;
            return others;
        }

        public ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken) => state.TellAsync(batch, after, cancellationToken);
    }

    // One post fails, and something happens before it does.
    private sealed class Interrupted(ISharedState state) : ISharedState
    {
        public Func<Task>? Meanwhile { get; set; }

        public async ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken)
        {
            if (Meanwhile is not { } meanwhile)
            {
                return await state.PostAsync(board, entry, lease, cancellationToken);
            }
            Meanwhile = null;
            await meanwhile();
            throw new IOException("The connection was cut.");
        }

        public ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken) => state.TellAsync(batch, after, cancellationToken);
    }

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
