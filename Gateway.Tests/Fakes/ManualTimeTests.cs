namespace Gateway.Tests.Fakes;

public sealed class ManualTimeTests
{
    [Fact]
    public void Advance_OverSeveralTimers_FiresByDueTimeThenByCreation()
    {
        var time = new ManualTime();
        var fired = new List<string>();
        using var late = time.CreateTimer(_ => fired.Add("late"), null, TimeSpan.FromSeconds(2), Timeout.InfiniteTimeSpan);
        using var first = time.CreateTimer(_ => fired.Add("first"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        using var second = time.CreateTimer(_ => fired.Add("second"), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);

        time.Advance(TimeSpan.FromSeconds(2));

        Assert.Equal(["first", "second", "late"], fired);
    }

    [Fact]
    public void Advance_OverAPeriodicTimer_ShowsItEachDueTime()
    {
        var time = new ManualTime();
        var start = time.GetTimestamp();
        var seen = new List<TimeSpan>();
        using var timer = time.CreateTimer(_ => seen.Add(time.GetElapsedTime(start)), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3));

        time.Advance(TimeSpan.FromSeconds(8));

        Assert.Equal([TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(7)], seen);
        Assert.Equal(TimeSpan.FromSeconds(8), time.GetElapsedTime(start));
    }

    [Fact]
    public void Advance_WhenATimerDisposesAnother_DoesNotFireIt()
    {
        var time = new ManualTime();
        var fired = false;
        ITimer? other = null;
        using var timer = time.CreateTimer(_ => other!.Dispose(), null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);
        other = time.CreateTimer(_ => fired = true, null, TimeSpan.FromSeconds(1), Timeout.InfiniteTimeSpan);

        time.Advance(TimeSpan.FromSeconds(1));

        Assert.False(fired);
        Assert.Equal(0, time.ActiveTimers);
    }
}
