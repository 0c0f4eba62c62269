using Gateway.Replicas;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class RestartWatchTests
{
    private readonly ManualTime _time = new();
    private readonly RestartWatch _watch;

    public RestartWatchTests() => _watch = new RestartWatch(_time);

    [Theory]
    [InlineData(900, 40L, 5_000L, true)]
    [InlineData(1_001, 40L, 4_999L, true)]
    [InlineData(1_001, 39L, 5_000L, true)]
    [InlineData(1_000, 40L, 5_000L, false)]
    [InlineData(1_001, null, null, false)]
    public void Observe_AfterAReport_TellsARestartFromACounterThatFell(long progress, long? preemptions, long? queried, bool expected)
    {
        _watch.Observe(Report(1_000, 40, 5_000));

        Assert.Equal(expected, _watch.Observe(Report(progress, preemptions, queried)));
    }

    [Fact]
    public void Observe_AcrossReportsThatTellNothing_ComparesWithTheLastThatDid()
    {
        _watch.Observe(Report(1_000));
        _watch.Observe(Report(null));

        Assert.True(_watch.Observe(Report(3)));
    }

    [Fact]
    public void Observe_OfASeriesThatANewEngineShowsOnlyLater_DoesNotCompareItWithTheOldOnes()
    {
        _watch.Observe(Report(1_000, preemptions: 40));
        _watch.Observe(Report(3));
        _time.Advance(TimeSpan.FromHours(1));

        Assert.False(_watch.Observe(Report(50, preemptions: 1)));
    }

    [Fact]
    public void Observe_OfCountersThatKeepFalling_TellsOnce()
    {
        var told = 0;
        for (var second = 0; second < 300; second++)
        {
            told += _watch.Observe(Report(second % 2 == 0 ? 1_000 : 10)) ? 1 : 0;
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(1, told);
    }

    [Fact]
    public void Observe_OfASecondRestartAMinuteLater_TellsIt()
    {
        _watch.Observe(Report(1_000));
        var first = _watch.Observe(Report(3));
        _time.Advance(TimeSpan.FromMinutes(1));

        Assert.Equal((true, true), (first, _watch.Observe(Report(2))));
    }

    private static EngineReport Report(long? progress, long? preemptions = null, long? queried = null) =>
        new() { Progress = progress, Preemptions = preemptions, PrefixQueryTokens = queried };
}
