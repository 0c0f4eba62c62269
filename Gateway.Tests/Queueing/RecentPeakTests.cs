using Gateway.Queueing;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Queueing;

public sealed class RecentPeakTests
{
    private readonly ManualTime _time = new();

    [Fact]
    public void Of_WhatIsLowerThanBefore_RemembersThePeakForAMinute()
    {
        var peak = new RecentPeak(_time);

        Assert.Equal(0.5, peak.Of(0.5));
        _time.Advance(TimeSpan.FromSeconds(53));
        Assert.Equal(0.5, peak.Of(0.2));
        _time.Advance(TimeSpan.FromSeconds(7));
        Assert.Equal(0.2, peak.Of(0.1));
        _time.Advance(TimeSpan.FromHours(1));
        Assert.Equal(0, peak.Of(0));
    }

    [Fact]
    public void Shift_OfAPart_TakesItOutOfWhatWasSeenAndNoMore()
    {
        var peak = new RecentPeak(_time);
        peak.Of(0.5);
        _time.Advance(TimeSpan.FromSeconds(6));
        peak.Of(0.1);

        peak.Shift(-0.2);

        Assert.Equal(0.3, peak.Of(0), 1e-12);
    }
}
