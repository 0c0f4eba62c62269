using Gateway.Replicas;
using Gateway.Replicas.Rates;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Replicas.Rates;

public sealed class ServiceMeterTests
{
    private readonly SetTime _time = new();
    private readonly Replica _replica;

    public ServiceMeterTests() => _replica = NewReplica(weight: 1);

    private ServiceRates Rates => _replica.Snapshot().Rates;

    [Fact]
    public void Rates_OfAReplicaThatAnsweredNothing_FollowItsWeight()
    {
        var rates = NewReplica(weight: 2).Snapshot().Rates;

        Assert.False(rates.IsLearned);
        Assert.Equal(ServiceRates.Initial.PrefillSecondsPerToken / 2, rates.PrefillSecondsPerToken);
        Assert.Equal(ServiceRates.Initial.StepSeconds(40) / 2, rates.StepSeconds(40), 9);
    }

    [Fact]
    public void OnAnswered_StreamsOneAfterAnother_LearnsBothRates()
    {
        for (var i = 0; i < 100; i++)
        {
            Stream(prompt: 200 + (50 * (i % 20)), cached: 0, prefill: prompt => 0.01 + (2e-4 * prompt), tokens: 101, step: 0.03);
        }

        Assert.True(Rates.IsLearned);
        Assert.InRange(Rates.StepSeconds(1), 0.0297, 0.0303);
        Assert.InRange(Rates.PrefillSecondsPerToken, 1.9e-4, 2.1e-4);
        Assert.InRange(Rates.FirstTokenSeconds, 0.008, 0.014);
        Assert.InRange(Rates.Decode.MeanRelativeError, 0, 0.05);
    }

    [Fact]
    public void OnAnswered_WhatWasOnlyReadAgain_TeachesNothing()
    {
        var before = Rates;
        for (var i = 0; i < 100; i++)
        {
            using var read = _replica.TryReserve(new LoadProfile(0, 0, 0, 1) { TellsFirstToken = false, IsRead = true }, 1)!;
            _time.Advance(TimeSpan.FromMilliseconds(3));
            read.OnAnswered(new ServedAnswer(400, 4_000, 3_000, _time.GetTimestamp()));
        }

        Assert.Equal(before, Rates);
    }

    [Fact]
    public void OnAnswered_ACachedPrompt_CountsOnlyWhatWasComputed()
    {
        for (var i = 0; i < 100; i++)
        {
            Stream(prompt: 4000, cached: 3800 - (30 * (i % 20)), prefill: uncached => 0.01 + (2e-4 * uncached), tokens: 20, step: 0.03);
        }

        Assert.InRange(Rates.TimeToFirstToken(0, 300), 0.068, 0.072);
    }

    [Fact]
    public void OnAnswered_StreamsSideBySide_LearnsWhatEachAddsToAStep()
    {
        for (var i = 0; i < 120; i++)
        {
            var batch = 1 + (i * 17 % 40);
            var reservations = Enumerable.Range(0, batch).Select(_ => Reserve(1)).ToArray();
            Array.ForEach(reservations, reservation => reservation.OnFirstToken());
            _time.Advance(TimeSpan.FromSeconds(50 * (0.01 + (0.001 * batch))));
            Array.ForEach(reservations, reservation => reservation.OnAnswered(new ServedAnswer(51, 1, 0, _time.GetTimestamp())));
            Array.ForEach(reservations, reservation => reservation.Dispose());
        }

        Assert.InRange(Rates.StepSeconds(30) / 0.040, 0.95, 1.05);
        Assert.InRange(Rates.StepSeconds(2) / 0.012, 0.9, 1.1);
    }

    [Fact]
    public void OnAnswered_OfEqualEnginesOneWithMorePrompts_LearnsTheSamePace()
    {
        var scales = new[] { 0, 400, 2_000 }.Select(prefilled =>
        {
            var replica = NewReplica(weight: 1);
            for (var i = 0; i < 50; i++)
            {
                using var answer = replica.TryReserve(new LoadProfile(1, 1, 100, 1), 1)!;
                answer.OnFirstToken();
                using var beside = replica.TryReserve(new LoadProfile(prefilled, prefilled, 1, 1), 1)!;
                _time.Advance(TimeSpan.FromSeconds(0.5 * ServiceRates.Initial.PrefillSecondsPerToken * prefilled));
                beside.OnFirstToken();
                beside.Dispose();
                _time.Advance(TimeSpan.FromSeconds(0.5 * 50 * ServiceRates.Initial.StepSeconds(1)));
                answer.OnAnswered(new ServedAnswer(51, 1, 0, _time.GetTimestamp()));
            }
            return replica.Snapshot().Rates.StepScale;
        });

        Assert.All(scales, scale => Assert.InRange(scale, 0.49, 0.51));
    }

    [Fact]
    public void OnAnswered_WhereTheEngineItselfQueues_LearnsNothingFromTheWait()
    {
        _replica.Observe(new EngineReport { ReadAt = 1, WaitingRequests = 3 });

        Stream(prompt: 200, cached: 0, prefill: _ => 30, tokens: 100, step: 0.03);

        Assert.Equal(0, Rates.Prefill.Predictions);
        Assert.Equal(ServiceRates.Initial.PrefillSecondsPerToken, Rates.PrefillSecondsPerToken);
        Assert.Equal(1, Rates.Decode.Predictions);
    }

    [Theory]
    [InlineData(7, 7, 7, 1)]
    [InlineData(7, 8, 8, 0)]
    [InlineData(7, 7, 8, 1)]
    public void OnAnswered_AfterAPreemption_LearnsFromTheWaitThatItDidNotTouch(int before, int meanwhile, int afterwards, int expectedLessons)
    {
        Observe(before);
        using var reservation = Reserve(200);
        _time.Advance(TimeSpan.FromSeconds(1));
        Observe(meanwhile);
        reservation.OnFirstToken();
        _time.Advance(TimeSpan.FromSeconds(3));
        Observe(afterwards);

        reservation.OnAnswered(new ServedAnswer(100, 200, 0, _time.GetTimestamp()));

        Assert.Equal(expectedLessons, Rates.Prefill.Predictions);
    }

    [Fact]
    public void OnAnswered_OfAnEngineThatPreempts_KeepsTheStepOnceItIsLearned()
    {
        for (var i = 0; i < 40; i++)
        {
            Stream(prompt: 200, cached: 0, prefill: _ => 0.05, tokens: 101, step: 0.03);
        }
        var learned = Rates.StepSeconds(1);

        for (var i = 0; i < 40; i++)
        {
            PreemptedStream(preemptions: i);
        }

        Assert.Equal(learned, Rates.StepSeconds(1));
    }

    [Fact]
    public void OnAnswered_OfAnEngineThatAlwaysPreempted_IsBetterThanAGuess()
    {
        for (var i = 0; i < 40; i++)
        {
            PreemptedStream(preemptions: i);
        }

        Assert.True(Rates.IsDecodeLearned);
        Assert.InRange(Rates.StepSeconds(1), 0.06, 0.1);
    }

    [Fact]
    public void OnAnswered_PlainAnswers_LearnTheStepFromTheWhole()
    {
        for (var i = 0; i < 100; i++)
        {
            using var reservation = Reserve(100, isStream: false);
            _time.Advance(TimeSpan.FromSeconds(6));
            reservation.OnAnswered(new ServedAnswer(101, 100, 0, _time.GetTimestamp()));
        }

        Assert.Equal(0, Rates.Prefill.Predictions);
        Assert.InRange(Rates.StepSeconds(1), 0.058, 0.061);
    }

    [Fact]
    public void OnAnswered_AfterTheRoomIsReturned_SaysNothing()
    {
        var reservation = Reserve(100);
        reservation.Dispose();

        reservation.OnAnswered(new ServedAnswer(100, 100, 0, _time.GetTimestamp()));

        Assert.Equal(0, Rates.Answers);
    }

    [Fact]
    public void OnAnswered_AStreamThatWasPromisedAndCamePlain_LearnsNoStep()
    {
        using var reservation = Reserve(100);
        _time.Advance(TimeSpan.FromSeconds(6));

        reservation.OnAnswered(new ServedAnswer(101, 100, 0, _time.GetTimestamp()));

        Assert.Equal(0, Rates.Decode.Predictions);
    }

    private Replica NewReplica(double weight)
    {
        var url = new Uri("http://10.0.0.1:8000");
        var replica = new Replica(new ReplicaOptions { Url = url, Weight = weight }, url, "r", 0, new FaultLimits(3, TimeSpan.FromSeconds(10)), _time);
        replica.OnProbed(ReplicaHealth.Up);
        return replica;
    }

    [Theory]
    [InlineData(Beside.Nothing, true)]
    // Computed in the same step, after it or before it, or not at once: what it waited for was not the way.
    [InlineData(Beside.PromptSentLater, false)]
    [InlineData(Beside.PromptSentLaterAndDone, false)]
    [InlineData(Beside.PlainPromptBefore, false)]
    [InlineData(Beside.RequestsThatWait, false)]
    [InlineData(Beside.Preemption, false)]
    public void OnFirstToken_AStepLate_LearnsThatTheWayIsLongerWhereNothingElseMadeItLate(Beside beside, bool learns)
    {
        using var running = Reserve(100);
        _time.Advance(TimeSpan.FromSeconds(0.05));
        running.OnFirstToken();
        using var plain = beside == Beside.PlainPromptBefore ? Reserve(5_000, isStream: false) : null;
        Observe(preemptions: 0);
        // 16.2 ms take the steps of one: three before the next one begins.
        _time.Advance(TimeSpan.FromSeconds(0.0132));
        using var sent = Reserve(10);
        using var later = beside is Beside.PromptSentLater or Beside.PromptSentLaterAndDone ? Reserve(300) : null;
        if (beside == Beside.PromptSentLaterAndDone)
        {
            later!.OnFirstToken();
        }
        if (beside == Beside.RequestsThatWait)
        {
            _replica.Observe(new EngineReport { ReadAt = _time.GetTimestamp(), WaitingRequests = 3, Preemptions = 0 });
        }
        _time.Advance(TimeSpan.FromSeconds(0.038));
        if (beside == Beside.Preemption)
        {
            Observe(preemptions: 1);
        }
        sent.OnFirstToken();

        Assert.Equal(learns, Rates.JoinSeconds > ServiceRates.Initial.JoinSeconds);
        Assert.Equal(learns, Rates.JoinSeconds != ServiceRates.Initial.JoinSeconds);
    }

    /// <summary>What else goes on while a request waits for its first token.</summary>
    public enum Beside
    {
        Nothing,
        PromptSentLater,
        PromptSentLaterAndDone,
        PlainPromptBefore,
        RequestsThatWait,
        Preemption,
    }

    private LoadReservation Reserve(int prompt, bool isStream = true) =>
        _replica.TryReserve(new LoadProfile(prompt, prompt, 100, 1) { TellsFirstToken = isStream }, 1)!;

    private void Observe(int preemptions) => _replica.Observe(new EngineReport { ReadAt = _time.GetTimestamp(), Preemptions = preemptions });

    // 0.1 s a token instead of 0.03.
    private void PreemptedStream(int preemptions)
    {
        using var reservation = Reserve(200);
        _time.Advance(TimeSpan.FromSeconds(0.05));
        reservation.OnFirstToken();
        Observe(preemptions);
        _time.Advance(TimeSpan.FromSeconds(10));
        reservation.OnAnswered(new ServedAnswer(101, 200, 0, _time.GetTimestamp()));
    }

    private void Stream(int prompt, int cached, Func<int, double> prefill, int tokens, double step)
    {
        using var reservation = Reserve(prompt);
        _time.Advance(TimeSpan.FromSeconds(prefill(prompt - cached)));
        reservation.OnFirstToken();
        _time.Advance(TimeSpan.FromSeconds((tokens - 1) * step));
        reservation.OnAnswered(new ServedAnswer(tokens, prompt, cached, _time.GetTimestamp()));
    }
}
