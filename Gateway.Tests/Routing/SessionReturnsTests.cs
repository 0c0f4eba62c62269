using Gateway.Routing;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Routing;

public sealed class SessionReturnsTests
{
    private const ulong Session = 1;

    private readonly SessionReturns _returns = new();
    private TimeSpan _now;

    [Fact]
    public void ExpectedBy_WithTwoTools_KeepsEachByItsOwnTimes()
    {
        Teach(tool: 7, seconds: 1, calls: 20);
        Teach(tool: 8, seconds: 60, calls: 20);

        Assert.Equal([1.0, 60.0], new ulong[] { 7, 8 }.Select(tool => Kept(tool, 0.9)), WithinAQuarter);
    }

    [Fact]
    public void ExpectedBy_OfAToolThatIsHardlyKnown_GoesByAllTools()
    {
        Teach(tool: 7, seconds: 30, calls: 20);
        Teach(tool: 8, seconds: 1, calls: 1);

        Assert.Equal([30.0, 30.0, 30.0], new ulong[] { 8, 9, 0 }.Select(tool => Kept(tool, 0.9)), WithinAQuarter);
    }

    [Fact]
    public void ExpectedBy_WithoutLessonsOrWithoutACall_IsUnknown()
    {
        _returns.OnCall(Session, 7, _now);
        var unlearned = _returns.ExpectedBy(Session, 0.9);
        _returns.OnRequest(Session, _now);
        Teach(tool: 7, seconds: 1, calls: 20);

        Assert.Equal((null, null), (unlearned, _returns.ExpectedBy(Session, 0.9)));
    }

    [Fact]
    public void ExpectedBy_OfTimesThatVary_IsTheirQuantile()
    {
        for (var i = 1; i <= 1_000; i++)
        {
            Teach(tool: 7, seconds: i / 10.0, calls: 1);
        }

        Assert.Equal([50.0, 90.0], new[] { 0.5, 0.9 }.Select(share => Kept(7, share)), WithinAQuarter);
    }

    [Fact]
    public void ExpectedBy_OfAToolThatBecameSlower_Follows()
    {
        Teach(tool: 7, seconds: 1, calls: 5_000);
        Teach(tool: 7, seconds: 40, calls: 5_000);

        Assert.Equal([40.0], [Kept(7, 0.5)], WithinAQuarter);
    }

    [Fact]
    public void OnRequest_OfMoreToolsThanAreKept_ForgetsTheOldest()
    {
        for (var tool = 1UL; tool <= 50_000; tool++)
        {
            Teach(tool, seconds: 1, calls: 1);
        }

        Assert.InRange(_returns.Tools, 1, 1_024);
    }

    [Fact]
    public void Match_OfASessionThatCalledATool_KeepsItsReplicaAsLongAsTheToolTakes()
    {
        var time = new ManualTime();
        var index = new PrefixIndex(1 << 20, time);
        var options = new RoutingOptions { SessionTtl = TimeSpan.FromHours(1), ToolReturnShare = 0.9 };
        var request = CorePool.Request(session: 42);
        for (var i = 0; i < 20; i++)
        {
            index.Record(request, CorePool.Cost(), 0, null, options);
            index.OnToolCall(42, 7);
            time.Advance(TimeSpan.FromSeconds(10));
        }
        index.Record(request, CorePool.Cost(), 0, null, options);
        index.OnToolCall(42, 7);

        var held = new List<bool>();
        foreach (var seconds in new[] { 9, 10 })
        {
            time.Advance(TimeSpan.FromSeconds(seconds));
            Candidate[] candidates = [default];
            index.Match(request, 100, options, candidates);
            held.Add(candidates[0].HoldsSession);
        }

        Assert.Equal([true, false], held);
    }

    private static bool WithinAQuarter(double expected, double actual) => actual >= expected && actual <= 1.26 * expected;

    private void Teach(ulong tool, double seconds, int calls)
    {
        for (var i = 0; i < calls; i++)
        {
            _returns.OnCall(Session, tool, _now);
            _now += TimeSpan.FromSeconds(seconds);
            _returns.OnRequest(Session, _now);
        }
    }

    private double Kept(ulong tool, double share)
    {
        _returns.OnCall(Session, tool, _now);
        var kept = _returns.ExpectedBy(Session, share)!.Value - _now;
        _returns.OnCall(Session, 0, _now + TimeSpan.FromDays(1));
        return kept.TotalSeconds;
    }
}
