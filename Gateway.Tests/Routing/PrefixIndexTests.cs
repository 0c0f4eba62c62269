using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

public sealed class PrefixIndexTests
{
    // Blocks of 40 bytes and 4 bytes per token: 10 tokens each.
    private static readonly ulong[] Blocks = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20];

    private readonly ManualTime _time = new();
    private readonly RoutingOptions _options = new();
    private readonly PrefixIndex _index;

    public PrefixIndexTests()
    {
        _index = new PrefixIndex(1 << 20, _time);
    }

    [Fact]
    public void Match_WithDifferentDepths_TellsEachReplicaItsLongestBeginning()
    {
        Record(Blocks[..8], 0);
        Record(Blocks[..3], 1);
        Record([11, 99, 13], 2);

        Assert.Equal([80, 30, 10, 0], Match(Blocks, 4));
    }

    [Fact]
    public void Match_WithAHoleInThePath_CountsNothingBehindIt()
    {
        Record(Blocks[3..], 0);

        Assert.Equal([0], Match(Blocks, 1));
    }

    [Fact]
    public void Match_OfAWholePrompt_LeavesOneTokenToCompute()
    {
        Record(Blocks, 0);

        Assert.Equal([99], Match(Blocks, 1));
    }

    [Fact]
    public void Match_AfterItsTime_BelievesNothing()
    {
        Record(Blocks, 0);

        _time.Advance(_options.Prefix.Ttl);
        var inTime = Match(Blocks, 1);
        _time.Advance(TimeSpan.FromTicks(1));

        Assert.Equal([99], inTime);
        Assert.Equal([0], Match(Blocks, 1));
    }

    [Fact]
    public void Record_AfterTheTimeOfAnother_DoesNotBringTheOtherBack()
    {
        Record(Blocks, 0);
        _time.Advance(_options.Prefix.Ttl + TimeSpan.FromSeconds(1));

        Record(Blocks, 1);

        Assert.Equal([0, 99], Match(Blocks, 2));
    }

    [Fact]
    public void Forget_OfAReplicaThatLeft_LeavesTheOthers()
    {
        Record(Blocks, 70);
        Record(Blocks, 1);

        _index.Forget(70);

        var hits = Match(Blocks, 71);
        Assert.Equal((99, 0), (hits[1], hits[70]));
    }

    [Fact]
    public void ForgetBlocks_OfAReplicaWhoseEngineIsNew_LeavesItsSessionsAndTheOthers()
    {
        Record(Blocks, 0);
        _index.Record(CorePool.Request(blocks: Blocks, session: 5), CorePool.Cost(100, 10), 1, null, _options);
        var before = _index.Version;

        _index.ForgetBlocks(1);

        var candidates = Candidates(2);
        _index.Match(CorePool.Request(blocks: Blocks, session: 5), 100, _options, candidates);
        Assert.Equal([(99, false), (0, true)], candidates.Select(candidate => (candidate.PrefixHitTokens, candidate.HoldsSession)));
        Assert.NotEqual(before, _index.Version);
    }

    [Fact]
    public void Match_WithPrefixesSwitchedOff_StillKnowsSessions()
    {
        var off = _options with { Prefix = _options.Prefix with { Enabled = false } };
        _index.Record(CorePool.Request(blocks: Blocks, session: 5), CorePool.Cost(100, 10), 1, null, off);

        var candidates = Candidates(2);
        _index.Match(CorePool.Request(blocks: Blocks, session: 5), 100, off, candidates);

        Assert.Equal([false, true], candidates.Select(candidate => candidate.HoldsSession));
        Assert.Equal(0, _index.Blocks);
    }

    [Fact]
    public void Match_OfASessionThatMoved_KnowsOnlyItsLastReplica()
    {
        _index.Record(CorePool.Request(session: 5), CorePool.Cost(100, 10), 0, null, _options);
        _index.Record(CorePool.Request(session: 5), CorePool.Cost(100, 10), 1, null, _options);

        var candidates = Candidates(3);
        _index.Match(CorePool.Request(session: 5), 100, _options, candidates);

        Assert.Equal([false, true, false], candidates.Select(candidate => candidate.HoldsSession));
    }

    [Fact]
    public void Match_OfASessionAfterItsTime_KnowsNobody()
    {
        _index.Record(CorePool.Request(session: 5), CorePool.Cost(100, 10), 0, null, _options);
        _time.Advance(_options.SessionTtl + TimeSpan.FromTicks(1));

        var candidates = Candidates(1);
        _index.Match(CorePool.Request(session: 5), 100, _options, candidates);

        Assert.False(candidates[0].HoldsSession);
    }

    [Fact]
    public void SessionSlot_OfAKey_IsWhereItWasRecorded()
    {
        _index.RecordSession(77, 130);

        Assert.Equal(130, _index.SessionSlot(77));
        Assert.Null(_index.SessionSlot(78));
    }

    [Fact]
    public void Enter_OfABurstOfSiblings_PlacesThemTogetherOnceTheFirstHasItsToken()
    {
        using var world = new CorePool(4, slots: null);
        foreach (var replica in world.Pool.ReplicaList)
        {
            world.Prefixes.Record(CorePool.Request(blocks: [9_000 + (ulong)replica.Slot]), CorePool.Cost(10, 10), replica.Slot, null, world.Routing);
        }
        var shared = Enumerable.Range(1, 200).Select(i => (ulong)i).ToArray();
        var first = Sibling(0);
        first.Result!.Value.Reservation!.OnFirstToken();

        var others = Enumerable.Range(1, 6).Select(Sibling).ToList();

        Assert.All(others, entry => Assert.Equal((first.Replica, 2_000), (entry.Replica, entry.Result!.Value.PrefixHitTokens)));

        CorePool.Entry Sibling(int last) =>
            world.Enter(CorePool.Request(blocks: [.. shared, 5_000 + (ulong)last], promptTokens: 2_010), CorePool.Cost(2_010, 50));
    }

    [Fact]
    public void Enter_WithASharedBeginning_GoesWhereItWasComputed()
    {
        using var world = new CorePool(4, slots: null);
        var first = world.Enter(CorePool.Request(blocks: Blocks));
        first.Done();

        var again = Enumerable.Range(0, 5).Select(last =>
        {
            var entry = world.Enter(CorePool.Request(blocks: [.. Blocks[..9], 500 + (ulong)last]), CorePool.Cost(100, 1));
            entry.Done();
            return entry;
        }).ToList();

        Assert.All(again, entry => Assert.Equal((first.Replica, Gateway.Queueing.PlacementReason.Prefix, 90), (entry.Replica, entry.Result!.Value.Reason, entry.Result.Value.PrefixHitTokens)));
    }

    [Fact]
    public void Enter_WithASharedBeginningAtAnEngineThatKeepsNone_IsNotTakenForCached()
    {
        using var world = new CorePool(1, slots: null);
        world.Enter(CorePool.Request(blocks: Blocks)).Done();
        world.Pool.Replicas[0].Observe(new EngineReport { ReadAt = 1, CachesPrefixes = false });
        world.Enter(CorePool.Request(blocks: Blocks)).Done();

        var again = world.Enter(CorePool.Request(blocks: Blocks));

        Assert.Equal(0, again.Result!.Value.PrefixHitTokens);
        Assert.Equal(0, world.Prefixes.Blocks);
    }

    [Fact]
    public void Enter_AtAnEngineThatCountsFewerHits_IsCorrected()
    {
        using var world = new CorePool(1, slots: null, kvTokens: 150);
        for (var i = 0; i < 70; i++)
        {
            var looked = i < 35 ? 0 : 3_400;
            world.Pool.Replicas[0].Observe(new EngineReport { ReadAt = 1 + looked, LoadReadAt = 1 + looked, PrefixQueryTokens = looked, PrefixHitTokens = 0 });
            world.Enter(CorePool.Request(blocks: Blocks), CorePool.Cost(100, 10)).Done();
            world.Time.Advance(TimeSpan.FromSeconds(20));
        }

        Assert.InRange(world.Enter(CorePool.Request(blocks: Blocks), CorePool.Cost(100, 10)).Result!.Value.PrefixHitTokens, 0, 10);
    }

    [Fact]
    public void Record_BeyondTheRoomOfAReplica_ForgetsWhatItUsedLeastRecently()
    {
        ulong[] other = [21, 22, 23, 24, 25];
        Record(Blocks, 0, capacity: 150);
        Record(Blocks[..4], 0, capacity: 150);

        // 4 blocks of the first prompt, 5 of the other, and their answers are 110 tokens: 4 of the first prompt's other 6 blocks are left.
        Record(other, 0, capacity: 150);
        var roomy = Match(Blocks, 1)[0];
        Record(other, 0, capacity: 100);

        Assert.Equal(80, roomy);
        Assert.Equal((40, 50), (Match(Blocks, 1)[0], Match([.. other, 99], 1)[0]));
    }

    [Fact]
    public void Record_AtAReplicaOfUnknownRoom_ForgetsNothing()
    {
        Record(Blocks, 0);
        for (var key = 100UL; key < 5_000; key++)
        {
            Record([key], 0);
        }

        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void Record_OfWhatIsHeld_TellsHowLongAgoItWasSent()
    {
        Record(Blocks[..3], 0);
        _time.Advance(TimeSpan.FromSeconds(40));

        Assert.Equal(TimeSpan.Zero, Record(Blocks, 1));
        Assert.Equal(TimeSpan.FromSeconds(40), Record(Blocks, 0));
    }

    [Fact]
    public void OnReported_OfLessAndThenOfMore_BelievesLessAndThenMore()
    {
        Report(32, believed: 100, cached: 70);
        Record(Blocks, 0, capacity: 150);
        var less = Match(Blocks, 1)[0];
        Report(32, believed: 0, cached: 90);
        Record(Blocks, 0, capacity: 150);

        // 0.97 to the 32nd is 0.38: room for 56 tokens, and the beginning goes last.
        Assert.Equal(50, less);
        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Theory]
    [InlineData(100, 5, 0)]
    [InlineData(50, 60, 46)]
    public void OnReported_OfWhatIsYoungOrHardlyDiffers_ChangesNothing(int believed, int ageSeconds, int cached)
    {
        Report(64, believed, cached, ageSeconds);
        Record(Blocks, 0, capacity: 120);

        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void OnReported_OfAFewAnswers_WaitsForMore()
    {
        Report(31, believed: 100, cached: 0);
        Record(Blocks, 0, capacity: 120);

        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void OnSent_ToAnEngineThatCountsLess_BelievesLess()
    {
        Send(prompts: 32, lookedBefore: 5_000, foundBefore: 4_000);
        Send(prompts: 1, lookedBefore: 5_000 + 3_200, foundBefore: 4_000 + (32 * 70));
        Record(Blocks, 0, capacity: 150);

        Assert.Equal(50, Match(Blocks, 1)[0]);
    }

    [Theory]
    [InlineData(2 * 3_200, 100, "the engine is used by others too")]
    [InlineData(3_700, 3_150, "of the others nothing may have been found")]
    [InlineData(3_200, 32 * 97, "the difference is small")]
    [InlineData(-100, 0, "the engine was started again")]
    public void OnSent_WhereTheCountersSayNothing_ChangesNothing(int looked, int found, string why)
    {
        Send(prompts: 32, lookedBefore: 5_000, foundBefore: 4_000);
        Send(prompts: 1, lookedBefore: 5_000 + looked, foundBefore: looked < 0 ? 0 : 4_000 + found);
        Record(Blocks, 0, capacity: 120);

        Assert.True(Match(Blocks, 1)[0] == 99, why);
    }

    [Fact]
    public void OnReported_WhereTheCountersAccountForWhatWasSent_IsLeftToThem()
    {
        Send(prompts: 32, lookedBefore: 5_000, foundBefore: 4_000);
        Send(prompts: 1, lookedBefore: 5_000 + 3_200, foundBefore: 4_000 + 3_200);
        Report(320, believed: 100, cached: 0);
        Record(Blocks, 0, capacity: 120);

        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void OnSent_AtAnEngineWithoutAHitSoFar_BelievesLess()
    {
        Send(prompts: 32, lookedBefore: 5_000, foundBefore: null);
        Send(prompts: 1, lookedBefore: 5_000 + 3_200, foundBefore: null);
        Record(Blocks, 0, capacity: 1_500);

        // 0.9 to the 32nd is 0.034.
        Assert.Equal(50, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void OnSent_AfterReadingsThatFailed_CountsAnew()
    {
        Send(prompts: 32, lookedBefore: 5_000, foundBefore: 4_000);
        for (var i = 0; i < 100; i++)
        {
            _index.OnSent(0, 100, 100, TimeSpan.FromMinutes(1), EngineReport.Empty);
        }
        Send(prompts: 1, lookedBefore: 5_000 + 3_300, foundBefore: 4_000);
        Record(Blocks, 0, capacity: 120);

        Assert.Equal(99, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void OnSent_OfManyPromptsBetweenTwoReadings_ChangesNoMoreThanOfAFew()
    {
        Send(prompts: 3_200, lookedBefore: 5_000, foundBefore: 4_000);
        Send(prompts: 1, lookedBefore: 5_000 + 320_000, foundBefore: 4_000 + (3_200 * 70));
        Record(Blocks, 0, capacity: 150);

        Assert.Equal(50, Match(Blocks, 1)[0]);
    }

    [Fact]
    public void SetMaxBytes_MadeLess_ForgetsTheOldest()
    {
        var index = new PrefixIndex(8 << 20, _time);
        for (var key = 0UL; key < 100_000; key++)
        {
            index.Record(CorePool.Request(blocks: [key + 1]), CorePool.Cost(10, 1), 0, null, _options);
        }

        index.SetMaxBytes(1 << 20);

        Assert.InRange(index.Blocks, 10_000, 25_000);
    }

    private void Report(int answers, int believed, int cached, int ageSeconds = 60)
    {
        for (var i = 0; i < answers; i++)
        {
            _index.OnReported(0, 100, believed, TimeSpan.FromSeconds(ageSeconds), cached);
        }
    }

    private void Send(int prompts, long lookedBefore, long? foundBefore)
    {
        var report = new EngineReport { LoadReadAt = lookedBefore, PrefixQueryTokens = lookedBefore, PrefixHitTokens = foundBefore };
        for (var i = 0; i < prompts; i++)
        {
            _index.OnSent(0, 100, 100, TimeSpan.FromMinutes(1), report);
        }
    }

    private TimeSpan Record(ulong[] blocks, int slot, long? capacity = null, int output = 10) =>
        _index.Record(CorePool.Request(blocks: blocks), CorePool.Cost(10 * blocks.Length, output), slot, capacity, _options);

    private List<int> Match(ulong[] blocks, int replicas)
    {
        var candidates = Candidates(replicas);
        _index.Match(CorePool.Request(blocks: blocks), 100, _options, candidates);
        return [.. candidates.Select(candidate => candidate.PrefixHitTokens)];
    }

    private static Candidate[] Candidates(int count) =>
        [.. Enumerable.Range(0, count).Select(slot => new Candidate { Replica = new ReplicaSnapshot { Id = $"r{slot}", Slot = slot, Report = EngineReport.Empty } })];
}
