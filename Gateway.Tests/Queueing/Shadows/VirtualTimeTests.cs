using Gateway.Queueing.Shadows;

namespace Gateway.Tests.Queueing.Shadows;

public sealed class VirtualTimeTests
{
    private readonly VirtualTime _time = new();
    private readonly List<string> _fired = [];

    [Fact]
    public void AdvanceTo_WithTimersDue_FiresThemByTimeThenByCreation()
    {
        using var late = Timer("late", 3);
        using var second = Timer("second", 2);
        using var first = Timer("first", 1);
        using var third = Timer("third", 2);

        Assert.Equal(TimeSpan.FromSeconds(1), _time.NextDue);
        _time.AdvanceTo(TimeSpan.FromSeconds(2));

        Assert.Equal(["first@1", "second@2", "third@2"], _fired);
        Assert.Equal(TimeSpan.FromSeconds(3), _time.NextDue);
    }

    [Fact]
    public void Change_OfATimer_LeavesOnlyItsNewTime()
    {
        using var timer = Timer("once", 1);
        timer.Change(TimeSpan.FromSeconds(5), Timeout.InfiniteTimeSpan);

        _time.AdvanceTo(TimeSpan.FromSeconds(4));
        Assert.Empty(_fired);
        _time.AdvanceTo(TimeSpan.FromSeconds(9));

        Assert.Equal(["once@5"], _fired);
        Assert.Null(_time.NextDue);
    }

    [Fact]
    public void Dispose_OfATimer_IsHeededBeforeItsTime()
    {
        var timer = Timer("never", 1);
        timer.Dispose();

        Assert.Null(_time.NextDue);
        _time.AdvanceTo(TimeSpan.FromSeconds(2));

        Assert.Empty(_fired);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void CreateTimer_TimeAfterTimeWithFewInForce_KeepsFewEntries(bool disposes)
    {
        using var kept = Timer("kept", 2);
        using var changed = Timer("changed", 9);
        for (var i = 0; i < 10_000; i++)
        {
            if (disposes)
            {
                Timer("never", 1).Dispose();
            }
            else
            {
                changed.Change(TimeSpan.FromSeconds(3), Timeout.InfiniteTimeSpan);
            }
        }

        Assert.InRange(_time.Entries, 2, 130);
        _time.AdvanceTo(TimeSpan.FromSeconds(9));
        Assert.Equal(["kept@2", disposes ? "changed@9" : "changed@3"], _fired);
    }

    [Fact]
    public void AdvanceTo_WithAPeriodicTimer_FiresItEachTime()
    {
        using var timer = _time.CreateTimer(_ => _fired.Add(Told("tick")), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));

        _time.AdvanceTo(TimeSpan.FromSeconds(6));

        Assert.Equal(["tick@1", "tick@3", "tick@5"], _fired);
    }

    [Fact]
    public void AdvanceTo_AnEarlierMoment_DoesNotTurnBack()
    {
        _time.AdvanceTo(TimeSpan.FromSeconds(2));
        _time.AdvanceTo(TimeSpan.FromSeconds(1));

        Assert.Equal(TimeSpan.FromSeconds(2), _time.Now);
        Assert.Equal(TimeSpan.FromSeconds(2), _time.GetElapsedTime(0));
    }

    private ITimer Timer(string name, int seconds) => _time.CreateTimer(_ => _fired.Add(Told(name)), null, TimeSpan.FromSeconds(seconds), Timeout.InfiniteTimeSpan);

    private string Told(string name) => $"{name}@{_time.Now.TotalSeconds:0}";
}
