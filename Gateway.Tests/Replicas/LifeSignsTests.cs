using Gateway.Forwarding.Attempts;
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
        Learn(replica);
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
        Learn(replica);
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
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, isStream: false);

        AdvanceBy(15, () => replica.Observe(ReportOf(5)));

        Assert.True(clock.FoundHung);
        Assert.Equal(ReplicaHealth.Suspended, replica.Health);
    }

    [Fact]
    public void Clock_OfAPlainAnswerWhereNoStepsAreCounted_GoesByTheLimitsAlone()
    {
        var replica = NewReplica(progress: null);
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, isStream: false);

        AdvanceBy(3_600, () => { });

        Assert.False(clock.HasExpired);
    }

    [Fact]
    public void Clock_OfAStreamWhereNoStepsAreCounted_GoesByTheLearnedPace()
    {
        var replica = NewReplica(progress: null);
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(15, () => { });

        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_WhileTheSpeedIsAGuess_WaitsAMinuteAtLeast()
    {
        var replica = NewReplica(progress: 5);
        AnswerPlainly(replica, 100);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(58, () => replica.Observe(ReportOf(5)));
        var before = clock.FoundHung;
        AdvanceBy(7, () => replica.Observe(ReportOf(5)));

        Assert.False(before);
        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_OfAnEngineThatLoadsItsModelAgain_GoesByTheLimitsAlone()
    {
        var replica = NewReplica(progress: null);
        replica.Observe(new EngineReport { Engine = EngineKind.Ollama });
        Learn(replica);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);

        AdvanceBy(300, () => { });

        Assert.False(clock.HasExpired);
    }

    [Fact]
    public void Clock_WhileTheCounterIsNotRead_TakesNoSilenceForAHang()
    {
        var replica = NewReplica(progress: 5);
        Learn(replica);
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

    // Its speed is a guess yet: by its own silence alone it would have a minute.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Clock_OfAYoungReplicaWhoseProbesAreUnanswered_ExpiresWithItsVerdict(bool isStream)
    {
        var replica = NewReplica(progress: 5);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica, isStream);
        replica.OnProbeEnded(isUnanswered: true);
        AdvanceBy(20, () => { });
        var before = clock.HasExpired;

        replica.OnProbed(ReplicaHealth.Down, "no answer");
        AdvanceBy(2, () => { });

        Assert.False(before);
        Assert.True(clock.FoundHung);
    }

    [Fact]
    public void Clock_OfAReplicaThatGrewSinceAProbeWasUnanswered_DoesNotExpire()
    {
        var replica = NewReplica(progress: null);
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);
        replica.OnProbeEnded(isUnanswered: true);
        AdvanceBy(5, replica.OnSign);

        replica.OnProbed(ReplicaHealth.Down, "no answer");
        AdvanceBy(20, () => { });

        Assert.False(clock.HasExpired);
    }

    [Fact]
    public void Clock_OfAReplicaThatMayLoadItsModel_DoesNotExpireByItsProbes()
    {
        var replica = NewReplica(progress: null);
        replica.Observe(new EngineReport { Engine = EngineKind.Ollama, LoadReadAt = _time.GetTimestamp() });
        using var reservation = Send(replica, 100);
        using var clock = Watch(replica);
        replica.OnProbeEnded(isUnanswered: true);

        replica.OnProbed(ReplicaHealth.Down, "no answer");
        AdvanceBy(60, () => { });

        Assert.False(clock.HasExpired);
    }

    private EngineReport ReportOf(long? progress) => new() { Engine = EngineKind.Vllm, Progress = progress, LoadReadAt = _time.GetTimestamp() };

    private AttemptClock Watch(Replica replica, bool isStream = true) =>
        new(Long, Long, Long, _time, CancellationToken.None) { IsInVain = waited => replica.IsHung(waited, isStream) };

    // Sixteen answers of a hundred tokens, 20 ms each.
    private void Learn(Replica replica)
    {
        for (var i = 0; i < 16; i++)
        {
            using var reservation = Send(replica, 100);
            _time.Advance(TimeSpan.FromMilliseconds(50));
            reservation.OnFirstToken();
            _time.Advance(TimeSpan.FromSeconds(2));
            reservation.OnAnswered(new ServedAnswer(101, 100, 0, _time.GetTimestamp()));
        }
    }

    // What is heard of them comes at once, with their end.
    private void AnswerPlainly(Replica replica, int answers)
    {
        for (var i = 0; i < answers; i++)
        {
            using var reservation = Send(replica, 100);
            _time.Advance(TimeSpan.FromSeconds(3));
            reservation.OnAnswered(new ServedAnswer(4, 100, 0, _time.GetTimestamp()));
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
