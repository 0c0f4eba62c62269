using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Coordination;

public sealed class CoordinatorTests : IDisposable
{
    private readonly SharingPair _pair = new();

    [Fact]
    public async Task Exchange_OfLoads_ShowsTheSumAndKeepsTheOwnPartApart()
    {
        using var own = _pair.Reserve(0, 0);
        using var other = _pair.Reserve(1, 0, 300, 200);

        await _pair.ExchangeAsync();

        var seen = _pair.View(0, 0).Snapshot();
        Assert.Equal((2, 650L, 400L, 250.0), (seen.RunningRequests, seen.ReservedTokens, seen.QueuedPrefillTokens, seen.OutstandingTokens));
        Assert.Equal(new GatewayLoad(1, 1, 500, 300, 200), seen.Peers);
        Assert.Equal((1, 150L), (seen.WithoutPeers().RunningRequests, seen.WithoutPeers().ReservedTokens));
        Assert.Equal(seen.ReservedTokens, _pair.View(1, 0).Snapshot().ReservedTokens);
        Assert.Equal(default, _pair.View(0, 1).Snapshot().Peers);
    }

    [Fact]
    public async Task Start_WhileAnExchangeFailsAsNoneShould_GoesOnWithTheNext()
    {
        var fails = false;
        var coordinator = new Coordinator(
            _pair.State.Join("another"), _pair.Options, () => _pair.Cores[0].SharedPools, () => fails ? throw new InvalidOperationException("broken") : _pair.Cores[0].Lengths, null, _pair.Time);
        fails = true;
        coordinator.Start();
        Assert.Equal((1, false), (coordinator.Failures, coordinator.IsUp));

        fails = false;
        await Until.HoldsAsync(() => _pair.Time.Advance(_pair.Options.Interval) >= 0 && coordinator.IsUp, "an exchange that succeeds");

        await coordinator.DisposeAsync();
    }

    [Fact]
    public async Task Exchange_AgainAndAgain_NeverTellsBackWhatCameFromOthers()
    {
        using var reservation = _pair.Reserve(0, 0);

        for (var i = 0; i < 10; i++)
        {
            await _pair.ExchangeAsync();
        }

        Assert.Equal((1, 1), (_pair.View(0, 0).Snapshot().RunningRequests, _pair.View(1, 0).Snapshot().RunningRequests));
    }

    [Fact]
    public async Task Observe_OfAnEngineThatPeersUse_TakesOnlyWhatNobodyKnowsForForeign()
    {
        using var own = _pair.Reserve(0, 0, 1_000, 100);
        using var other = _pair.Reserve(1, 0, 3_000, 100);
        await _pair.ExchangeAsync();
        // 4,000 tokens of theirs and 2,000 of a third party that nobody announced.
        var report = new EngineReport { RunningRequests = 3, WaitingRequests = 0, KvUsage = 0.6 };

        for (var i = 1; i <= 2; i++)
        {
            _pair.View(0, 0).Observe(report with { ReadAt = _pair.Time.GetTimestamp() });
        }

        var room = new Looking();
        _pair.View(0, 0).RoomFor(new LoadProfile(10, 10, 10, 1), room, 1);
        Assert.Equal(3, room.Sequences);
        Assert.InRange(room.Foreign.Tokens, 1_950, 2_050);
        Assert.Equal(1, room.Foreign.Sequences);
        Assert.Equal([new Course(3_001, 100, 1)], room.Guests);
    }

    [Fact]
    public async Task Exchange_WhenPeersWereDoneAtSeveralReplicas_WakesTheirPoolOnce()
    {
        var (here, there) = (_pair.Reserve(1, 0), _pair.Reserve(1, 1));
        await _pair.ExchangeAsync();
        var woken = 0;
        _pair.Cores[0].Models[0].Pool.RoomReturned += () => woken++;

        here.Dispose();
        there.Dispose();
        await _pair.ExchangeAsync();
        await _pair.ExchangeAsync();

        Assert.Equal(1, woken);
    }

    [Fact]
    public async Task ExchangeNext_OfLoadsWhileTheRestFails_IsNoRecovery()
    {
        using var other = _pair.Reserve(1, 0);
        await _pair.ExchangeAsync();
        _pair.State.IsGone = true;
        await _pair.Coordinators[0].ExchangeAsync(default);
        _pair.State.IsGone = false;
        var down = _pair.Coordinators[0].IsUp;

        await _pair.Coordinators[0].ExchangeNextAsync(default);
        var whole = _pair.Coordinators[0].IsUp;
        _pair.State.IsGone = true;
        await _pair.Coordinators[0].ExchangeNextAsync(default);
        _pair.State.IsGone = false;
        await _pair.Coordinators[0].ExchangeNextAsync(default);

        Assert.False(down);
        Assert.True(whole);
        Assert.False(_pair.Coordinators[0].IsUp);
    }

    [Fact]
    public async Task Exchange_AfterAGatewayDied_ForgetsItsLoadWithTheLease()
    {
        using var reservation = _pair.Reserve(1, 0);
        await _pair.ExchangeAsync();
        Assert.Equal(1, _pair.View(0, 0).Snapshot().Peers.Requests);

        _pair.Time.Advance(_pair.Options.Lease);
        await _pair.Coordinators[0].ExchangeAsync(default);
        Assert.Equal(1, _pair.View(0, 0).Snapshot().Peers.Requests);
        _pair.Time.Advance(TimeSpan.FromMilliseconds(1));
        await _pair.Coordinators[0].ExchangeAsync(default);

        Assert.Equal(default, _pair.View(0, 0).Snapshot().Peers);
    }

    [Fact]
    public async Task Dispose_OfAGatewayThatStops_TakesItsLoadAwayAtOnce()
    {
        using var reservation = _pair.Reserve(1, 0);
        await _pair.ExchangeAsync();

        await _pair.Coordinators[1].DisposeAsync();
        await _pair.Coordinators[0].ExchangeAsync(default);

        Assert.Equal(default, _pair.View(0, 0).Snapshot().Peers);
    }

    [Fact]
    public async Task Exchange_WhileTheStateIsGone_GoesOnAloneAndConvergesWhenItIsBack()
    {
        using var reservation = _pair.Reserve(1, 0);
        await _pair.ExchangeAsync();
        _pair.State.IsGone = true;
        await _pair.ExchangeAsync();
        Assert.Equal((false, 2L, 1), (_pair.Coordinators[0].IsUp, _pair.Coordinators[0].Failures, _pair.View(0, 0).Snapshot().Peers.Requests));

        _pair.Time.Advance(_pair.Options.Lease);
        await _pair.ExchangeAsync();
        Assert.Equal(default, _pair.View(0, 0).Snapshot().Peers);
        _pair.State.IsGone = false;
        _pair.State.Flush();
        await _pair.ExchangeAsync();

        Assert.True(_pair.Coordinators[0].IsUp);
        Assert.Equal(1, _pair.View(0, 0).Snapshot().Peers.Requests);
    }

    [Fact]
    public async Task Exchange_WhileOnlyNewsFail_StillCountsTheOthersLoads()
    {
        using var reservation = _pair.Reserve(1, 0);
        var half = new Coordinator(new Newsless(_pair.State.Join("half")), _pair.Options, () => _pair.Cores[0].SharedPools, () => _pair.Cores[0].Lengths, null, _pair.Time);
        for (var i = 0; i < 3; i++)
        {
            await _pair.Coordinators[1].ExchangeAsync(default);
            await half.ExchangeAsync(default);
            _pair.Time.Advance(_pair.Options.Lease);
        }

        Assert.Equal((false, 1), (half.IsUp, _pair.View(0, 0).Snapshot().Peers.Requests));
    }

    [Fact]
    public async Task Exchange_WhileTheStateIsGoneAndNoTenantAsks_LetsTheNextOneWaitForNoAnswer()
    {
        var limits = new SharedLimitLedger(new LimitLedger(_pair.Time), "limited", _pair.State.Join("limited"), _pair.Options, _pair.Time);
        var coordinator = new Coordinator(
            _pair.State.Join("limited"), _pair.Options, () => _pair.Cores[0].SharedPools, () => _pair.Cores[0].Lengths, limits, _pair.Time);
        await coordinator.ExchangeAsync(default);
        _pair.State.IsGone = true;
        for (var i = 0; i < 2; i++)
        {
            await coordinator.ExchangeAsync(default);
            _pair.Time.Advance(_pair.Options.Lease);
        }
        await coordinator.ExchangeAsync(default);

        await limits.ReserveAsync(new Tenant { Name = "t", Key = 1, Limits = new() { MaxConcurrent = 1 } }, TokenAmount.None);

        Assert.Equal(0, limits.Failures);
    }

    [Fact]
    public async Task Dispose_WhileAnswersStillEnd_LetsThemTeach()
    {
        await _pair.Coordinators[0].DisposeAsync();

        _pair.Cores[0].Models[0].Prefixes.Record(SharingPair.Request([1, 2, 3]), SharingPair.Cost, _pair.View(0, 1).Slot, 10_000, new RoutingOptions());
        ((IOutputLengthLearner)_pair.Cores[0].Lengths).Learn(SharingPair.Request(), SharingPair.Model, 40, isCensored: false);

        Assert.Equal(4, _pair.Cores[0].Models[0].Prefixes.Blocks);
    }

    [Fact]
    public async Task Exchange_OfPlacements_LetsOthersKnowWhereAPromptAndASessionAre()
    {
        var request = SharingPair.Request([1, 2, 3], session: 9);
        _pair.Cores[0].Models[0].Prefixes.Record(request, SharingPair.Cost, _pair.View(0, 1).Slot, 10_000, new RoutingOptions());
        _pair.Cores[0].Models[0].Prefixes.RecordSession(77, _pair.View(0, 0).Slot);

        await _pair.ExchangeAsync();

        var candidates = Match(1, request);
        Assert.Equal((0, 30), (candidates[0].PrefixHitTokens, candidates[1].PrefixHitTokens));
        Assert.Equal((false, true), (candidates[0].HoldsSession, candidates[1].HoldsSession));
        Assert.Equal(_pair.View(1, 0).Slot, _pair.Cores[1].Models[0].Prefixes.SessionSlot(77));
        Assert.Equal(_pair.Cores[0].Models[0].Prefixes.Blocks, _pair.Cores[1].Models[0].Prefixes.Blocks);
    }

    [Fact]
    public async Task Exchange_OfToolCalls_TeachesOthersWhenSessionsComeBack()
    {
        var options = new RoutingOptions { SessionTtl = TimeSpan.FromSeconds(5), ToolReturnShare = 0.9 };
        for (var i = 0; i < 8; i++)
        {
            // Called at one gateway, back at the other after half a minute.
            _pair.Cores[0].Models[0].Prefixes.OnToolCall(session: 100 + (ulong)i, tool: 3);
            await _pair.ExchangeAsync();
            _pair.Time.Advance(TimeSpan.FromSeconds(30));
            _pair.Cores[1].Models[0].Prefixes.Record(SharingPair.Request([], session: 100 + (ulong)i), SharingPair.Cost, _pair.View(1, 0).Slot, null, options);
            await _pair.ExchangeAsync();
        }
        _pair.Cores[0].Models[0].Prefixes.RecordSession(9, _pair.View(0, 1).Slot);
        _pair.Cores[0].Models[0].Prefixes.OnToolCall(session: 9, tool: 3);
        await _pair.ExchangeAsync();

        // Longer than sessions are kept that call none.
        _pair.Time.Advance(TimeSpan.FromSeconds(25));

        Assert.All([0, 1], gateway => Assert.True(Match(gateway, SharingPair.Request([], session: 9), options)[1].HoldsSession));
    }

    [Fact]
    public async Task Exchange_OfALongPrompt_TellsItsBeginningAndCountsTheRestAsRoom()
    {
        var blocks = Enumerable.Range(1, 600).Select(block => (ulong)block).ToArray();
        var index = _pair.Cores[0].Models[0].Prefixes;
        index.Record(SharingPair.Request(blocks), SharingPair.Cost, _pair.View(0, 0).Slot, 10_000, new RoutingOptions());

        await _pair.ExchangeAsync();

        // The answer's room is one more.
        Assert.Equal((601, _pair.Options.HintBlocks + 1), (index.Blocks, _pair.Cores[1].Models[0].Prefixes.Blocks));
    }

    [Fact]
    public async Task Exchange_OfAnswers_MakesTheOthersRunningDistributionTheSame()
    {
        var request = SharingPair.Request(tenant: 3);
        var alone = new RunningLengths(new EstimationOptions());
        for (var i = 0; i < 60; i++)
        {
            var tokens = i % 3 == 0 ? 900 : 40;
            ((IOutputLengthLearner)_pair.Cores[0].Lengths).Learn(request, SharingPair.Model, tokens, isCensored: false);
            alone.Learn(request, SharingPair.Model, tokens, isCensored: false);
            await _pair.ExchangeAsync();
        }

        var told = new RunningLengths(new EstimationOptions());
        var core = _pair.Cores[1].Lengths;
        Assert.Equal(alone.Predict(request, SharingPair.Model).Quantile(0.9), _pair.Cores[0].Lengths.Predict(request, SharingPair.Model).Quantile(0.9));
        // The ensemble's own prior and bound differ; its median under a key of which it saw nothing itself does not.
        Assert.InRange(core.Predict(request, SharingPair.Model).Quantile(0.5), 20, 80);
        Assert.InRange(told.Predict(request, SharingPair.Model).Quantile(0.5), 120, 300);
    }

    [Fact]
    public async Task Exchange_OfRandomComingsAndGoings_EndsAtNothingAndIsNeverNegative()
    {
        using var pair = new SharingPair(3);
        const int seed = 11;
        var chance = new Random(seed);
        var held = new List<LoadReservation>();
        for (var i = 0; i < 2_000; i++)
        {
            switch (chance.Next(6))
            {
                case 0 or 1:
                    held.Add(pair.Reserve(chance.Next(3), chance.Next(2), chance.Next(1, 900), chance.Next(1, 400)));
                    break;
                case 2 when held.Count > 0:
                    var ended = chance.Next(held.Count);
                    held[ended].Dispose();
                    held.RemoveAt(ended);
                    break;
                case 3:
                    pair.State.IsGone = chance.Next(3) == 0;
                    break;
                case 4 when chance.Next(4) == 0:
                    pair.State.Flush();
                    break;
                default:
                    pair.Time.Advance(TimeSpan.FromMilliseconds(chance.Next(2_000)));
                    await pair.Coordinators[chance.Next(3)].ExchangeAsync(default);
                    break;
            }
            Assert.All(Views(pair), view => Assert.True(IsSound(view.Snapshot()), $"seed {seed}, step {i}"));
        }
        held.ForEach(reservation => reservation.Dispose());
        pair.State.IsGone = false;
        await pair.ExchangeAsync();

        Assert.All(Views(pair), view => Assert.Equal((0, 0, 0L, 0L, 0.0), SumsOf(view.Snapshot())));
    }

    [Theory]
    [InlineData(new byte[] { 2, 1, 1 })]
    [InlineData(new byte[] { 1, 255, 255, 255, 255 })]
    [InlineData(new byte[] { 1, 1, 109, 255, 255, 255, 127 })]
    public async Task Exchange_WithAnEntryThatIsDamaged_CountsItForNothing(byte[] entry)
    {
        var stranger = _pair.State.Join("stranger");
        await stranger.PostAsync("load", entry, _pair.Options.Lease, default);
        await stranger.TellAsync(entry, null, default);
        using var other = _pair.Reserve(1, 0);

        await _pair.ExchangeAsync();

        Assert.True(_pair.Coordinators[0].IsUp);
        Assert.Equal(1, _pair.View(0, 0).Snapshot().Peers.Requests);
    }

    public void Dispose() => _pair.Dispose();

    private static IEnumerable<Replica> Views(SharingPair pair) => pair.Cores.SelectMany(core => core.Models[0].Pool.ReplicaList);

    private static (int, int, long, long, double) SumsOf(ReplicaSnapshot now) =>
        (now.RunningRequests, now.RunningSequences, now.ReservedTokens, now.QueuedPrefillTokens, now.OutstandingTokens);

    private static bool IsSound(ReplicaSnapshot now)
    {
        var (requests, sequences, reserved, prefill, outstanding) = SumsOf(now);
        return requests >= 0 && sequences >= 0 && reserved >= 0 && prefill >= 0 && outstanding >= 0 && now.WithoutPeers().ReservedTokens >= 0;
    }

    private Candidate[] Match(int gateway, InferenceRequest request, RoutingOptions? options = null)
    {
        var candidates = new[] { new Candidate { Replica = _pair.View(gateway, 0).Snapshot() }, new Candidate { Replica = _pair.View(gateway, 1).Snapshot() } };
        _pair.Cores[gateway].Models[0].Prefixes.Match(request, 100, options ?? new RoutingOptions(), candidates);
        return candidates;
    }

    /// <summary>A Redis of several parts, of which the one with the news is gone.</summary>
    private sealed class Newsless(ISharedState whole) : ISharedState
    {
        public ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken) =>
            whole.PostAsync(board, entry, lease, cancellationToken);

        public ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken) => ValueTask.FromException<NewsPage>(new IOException("No news."));
    }

    private sealed class Looking : IAdmissionRule
    {
        public ForeignLoad Foreign { get; private set; }

        public int Sequences { get; private set; }

        public Course[] Guests { get; private set; } = [];

        public bool Admits(in LoadProfile load, in ReplicaRoom room)
        {
            (Foreign, Sequences, Guests) = (room.Foreign, room.RunningSequences, room.Guests.ToArray());
            return true;
        }
    }
}
