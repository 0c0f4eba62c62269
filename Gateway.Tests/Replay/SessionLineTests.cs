using Gateway.Replay;
using Gateway.Replay.Traces;

namespace Gateway.Tests.Replay;

public sealed class SessionLineTests
{
    private readonly SessionLine _line = new();

    [Fact]
    public void MayStart_WhileTheLastAnswerRuns_HoldsTheTurnUntilItsEndAndPause()
    {
        var (first, second, third) = (Turn("s", null), Turn("s", 5), Turn("s", 2));
        Assert.True(_line.MayStart(first, Seconds(0)));
        Assert.False(_line.MayStart(second, Seconds(0)));
        Assert.False(_line.MayStart(third, Seconds(0)));
        Assert.Null(_line.NextDue);

        _line.OnEnded(first, Seconds(10));
        Assert.Equal(Seconds(15), _line.NextDue);
        Assert.Same(second, _line.TakeDue());
        Assert.Null(_line.NextDue);
        _line.OnEnded(second, Seconds(21));

        Assert.Equal(Seconds(23), _line.NextDue);
        Assert.Same(third, _line.TakeDue());
        Assert.Equal(0, _line.Held);
    }

    [Fact]
    public void MayStart_SoonAfterTheLastAnswer_HoldsTheTurnForTheRestOfItsPause()
    {
        var (first, second) = (Turn("s", null), Turn("s", 5));
        Assert.True(_line.MayStart(first, Seconds(0)));
        _line.OnEnded(first, Seconds(10));

        Assert.False(_line.MayStart(second, Seconds(12)));

        Assert.Equal(Seconds(15), _line.NextDue);
    }

    [Fact]
    public void MayStart_OfAnotherSessionOrNone_IsNotHeld()
    {
        Assert.True(_line.MayStart(Turn("a", null), Seconds(0)));
        Assert.True(_line.MayStart(Turn("b", null), Seconds(0)));
        Assert.True(_line.MayStart(Turn(null, null), Seconds(0)));
        Assert.True(_line.MayStart(Turn(null, null), Seconds(0)));
    }

    [Fact]
    public void OnEnded_OfManySessions_ForgetsThoseLongAtRest()
    {
        for (var i = 0; i < 10_000; i++)
        {
            var turn = Turn($"s{i}", null);
            Assert.True(_line.MayStart(turn, Seconds(i)));
            _line.OnEnded(turn, Seconds(i));
        }

        Assert.InRange(_line.Known, 3_600, 3_602);
    }

    private static TraceRequest Turn(string? session, int? think) => new()
    {
        Arrival = TimeSpan.Zero,
        InputTokens = 1,
        OutputTokens = 1,
        SessionId = session,
        Think = think is { } seconds ? Seconds(seconds) : null,
    };

    private static TimeSpan Seconds(int seconds) => TimeSpan.FromSeconds(seconds);
}
