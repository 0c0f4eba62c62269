using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas;

public sealed class LifeSignsTests
{
    private static readonly TimeSpan Long = TimeSpan.FromHours(2);

    private readonly ManualTime _time = new();

    [Fact]
    public void Clock_OfAReplicaThatIsFrozen_ExpiresWithin15SecondsAndSuspendsIt()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(15, () => replica.Observe(ReportOf(5)));

        Assert.True(clock is { HasExpired: true, FoundHung: true });
        Assert.Equal(ReplicaHealth.Suspended, replica.Health);
    }

    [Fact]
    public void Clock_OfAReplicaThatComputesOneAnswerLong_LeavesItInRotation()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);
        var step = 5L;

        AdvanceBy(3_600, () => replica.Observe(ReportOf(++step)));

        Assert.False(clock.HasExpired);
        Assert.Equal(ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public void Clock_OfAReplicaWhoseOtherStreamsGrow_LeavesItInRotation()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(3_600, replica.OnSign);

        Assert.False(clock.HasExpired);
        Assert.Equal(ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public void Clock_WhileALongPromptIsComputed_WaitsForIt()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 200_000);
        using var clock = Watch(replica);

        AdvanceBy(60, () => replica.Observe(ReportOf(5)));
        var afterAMinute = clock.HasExpired;
        AdvanceBy(600, () => replica.Observe(ReportOf(5)));

        Assert.False(afterAMinute);
        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_OfAPlainAnswerAtAReplicaThatIsFrozen_DoesNotWaitForItsLength()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, unheardTokens: 4_000);

        AdvanceBy(15, () => replica.Observe(ReportOf(5)));

        Assert.True(clock.FoundHung);
        Assert.Equal(ReplicaHealth.Suspended, replica.Health);
    }

    [Fact]
    public void Clock_OfAPlainAnswerWhereNoStepsAreCounted_WaitsAsLongAsItMayTake()
    {
        var replica = NewReplica(progress: null);
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, unheardTokens: 500);

        // Ten seconds of tokens at the learned pace, and eight times that for what nobody foresees.
        AdvanceBy(80, () => { });
        var before = clock.FoundHung;
        AdvanceBy(20, () => { });

        Assert.False(before);
        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_OfAPlainAnswerWhileOthersAreAnswered_LeavesTheReplicaInRotation()
    {
        var replica = NewReplica(progress: null);
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, unheardTokens: 500);

        for (var i = 0; i < 40; i++)
        {
            AdvanceBy(60, () => { });
            replica.OnSign();
        }

        Assert.False(clock.HasExpired);
        Assert.Equal(ReplicaHealth.Up, replica.Health);
    }

    [Fact]
    public void Clock_OfAnEngineThatLoadsItsModelAgain_GoesByTheLimitsAlone()
    {
        var replica = NewReplica(progress: null);
        replica.Observe(new EngineReport { Engine = EngineKind.Ollama });
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, unheardTokens: 16);

        AdvanceBy(300, () => { });

        Assert.False(clock.HasExpired);
    }

    [Fact]
    public void Clock_WhileTheCounterIsNotRead_TakesNoSilenceForAHang()
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        // Read once a minute: what it said is old.
        AdvanceBy(59, () => { });
        var unread = clock.FoundHung;
        replica.Observe(ReportOf(5));
        AdvanceBy(3, () => { });

        Assert.False(unread);
        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_OfAReplicaOfWhichNothingIsKnown_GoesByTheLimitsAlone()
    {
        var replica = NewReplica(progress: null);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(3_600, () => { });

        Assert.False(clock.HasExpired);
    }

    private EngineReport ReportOf(long? progress) => new() { Engine = EngineKind.Vllm, Progress = progress, LoadReadAt = _time.GetTimestamp() };

    private AttemptClock Watch(Replica replica, int unheardTokens = 0) =>
        new(Long, Long, Long, _time, CancellationToken.None) { IsInVain = waited => replica.IsHung(waited, unheardTokens) };

    // Sixteen answers of a hundred tokens, 20 ms each.
    private void Learn(Replica replica)
    {
        for (var i = 0; i < 16; i++)
        {
            using var reservation = Send(replica, 100);
            reservation.OnFirstToken();
            _time.Advance(TimeSpan.FromSeconds(2));
            reservation.OnAnswered(new ServedAnswer(101, 100, 0, _time.GetTimestamp()));
        }
    }

    private static LoadReservation Send(Replica replica, int promptTokens) => replica.TryReserve(new LoadProfile(promptTokens, promptTokens, 10, 1), 1)!;

    private void AdvanceBy(int seconds, Action eachSecond)
    {
        for (var i = 0; i < seconds; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            eachSecond();
        }
    }

    private Replica NewReplica(long? progress)
    {
        var replica = new Replica(new ReplicaOptions(), new Uri("http://a.test/"), "a", 0, new FaultLimits(5, TimeSpan.FromHours(1)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        replica.Observe(ReportOf(progress));
        return replica;
    }
}
