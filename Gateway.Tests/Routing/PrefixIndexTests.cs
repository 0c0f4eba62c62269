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
    public void Match_WithPrefixesSwitchedOff_StillKnowsSessions()
    {
        var off = _options with { Prefix = _options.Prefix with { Enabled = false } };
        _index.Record(CorePool.Request(blocks: Blocks, session: 5), 1, off);

        var candidates = Candidates(2);
        _index.Match(CorePool.Request(blocks: Blocks, session: 5), 100, off, candidates);

        Assert.Equal([false, true], candidates.Select(candidate => candidate.HoldsSession));
        Assert.Equal(0, _index.Blocks);
    }

    [Fact]
    public void Match_OfASessionThatMoved_KnowsOnlyItsLastReplica()
    {
        _index.Record(CorePool.Request(session: 5), 0, _options);
        _index.Record(CorePool.Request(session: 5), 1, _options);

        var candidates = Candidates(3);
        _index.Match(CorePool.Request(session: 5), 100, _options, candidates);

        Assert.Equal([false, true, false], candidates.Select(candidate => candidate.HoldsSession));
    }

    [Fact]
    public void Match_OfASessionAfterItsTime_KnowsNobody()
    {
        _index.Record(CorePool.Request(session: 5), 0, _options);
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
    public void Enter_WithASharedBeginning_GoesWhereItWasComputed()
    {
        using var world = new CorePool(4, slots: null);
        var first = world.Enter(CorePool.Request(blocks: Blocks));
        first.Done();

        var again = Enumerable.Range(0, 5).Select(last => world.Enter(CorePool.Request(blocks: [.. Blocks[..9], 500 + (ulong)last]), CorePool.Cost(100, 1))).ToList();

        Assert.All(again, entry => Assert.Equal((first.Replica, Gateway.Queueing.PlacementReason.Prefix, 90), (entry.Replica, entry.Result!.Value.Reason, entry.Result.Value.PrefixHitTokens)));
    }

    private void Record(ulong[] blocks, int slot) => _index.Record(CorePool.Request(blocks: blocks), slot, _options);

    private List<int> Match(ulong[] blocks, int replicas)
    {
        var candidates = Candidates(replicas);
        _index.Match(CorePool.Request(blocks: blocks), 100, _options, candidates);
        return [.. candidates.Select(candidate => candidate.PrefixHitTokens)];
    }

    private static Candidate[] Candidates(int count) =>
        [.. Enumerable.Range(0, count).Select(slot => new Candidate { Replica = new ReplicaSnapshot { Id = $"r{slot}", Slot = slot, Report = EngineReport.Empty } })];
}
