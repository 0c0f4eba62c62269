using Gateway.Replicas;
using Gateway.Replicas.Rates;

namespace Gateway.Tests.Replicas.Rates;

/// <summary>Steps of eight sequences take 17.6 ms at the initial rates, and those with a prompt of ten tokens and a ninth sequence 18.685 ms.</summary>
public sealed class StepJoinTests
{
    private const int Batch = 8;
    private const double Step = 17.6e-3;
    private const double OwnStep = 16e-3 + (9 * 0.2e-3) + (10 * 0.0885e-3);

    private static readonly LoadProfile Short = new(1_000, 10, 100, 1);
    private static readonly ServiceRates Rates = ServiceRates.Initial with { JoinSeconds = 0.004 };

    [Theory]
    // Sent in time for the next step; just too late for it, and then in time for the one after; long enough ago to tell nothing.
    [InlineData(10e-3, 7.6e-3)]
    [InlineData(14e-3, 3.6e-3 + Step)]
    [InlineData(1, 4e-3 + (Step / 2))]
    public void SecondsToJoin_BesideAnswers_IsUntilTheStepThatItIsPartOf(double elapsed, double seconds) =>
        Assert.Equal(seconds, Rates.SecondsToJoin(elapsed, Batch, 0), 9);

    [Fact]
    public void SecondsToJoin_WhereThereIsNothing_IsTheWay() => Assert.Equal(0.004, Rates.SecondsToJoin(1, 0, 0), 9);

    [Fact]
    public void SecondsToJoin_WhereTheWayIsLongerThanAStep_SkipsAsManyAsItTakes() =>
        Assert.Equal(7.6e-3 + (2 * Step), (Rates with { JoinSeconds = 0.040 }).SecondsToJoin(10e-3, Batch, 0), 9);

    [Theory]
    [InlineData(300, true, Batch, 0, 5e-3)]
    [InlineData(10, false, Batch, 0, 5e-3)]
    [InlineData(10, true, 0, 0, 5e-3)]
    [InlineData(10, true, Batch, 100, 5e-3)]
    [InlineData(10, true, Batch, 0, 18e-3)]
    public void Of_WhatCannotTell_LearnsNothing(int uncached, bool tells, double batch, long ahead, double elapsed)
    {
        var join = StepJoin.Of(Short with { UncachedTokens = uncached, TellsFirstToken = tells }, Rates, elapsed, batch, ahead);

        Assert.Equal(default, join);
        Assert.Equal(0.004, join.Learn(0.004, 10));
    }

    [Theory]
    // With 4.6 ms to the next step it was in time by 0.6: as expected, less may do; a step late, more is needed.
    [InlineData(13e-3, 4.6e-3 + OwnStep, -Step / 32)]
    [InlineData(13e-3, 4.6e-3 + OwnStep + Step, 4 * Step / 32)]
    // With 12.6 ms it says nothing that it came in time, nor what made it late, but that it came a step early.
    [InlineData(5e-3, 12.6e-3 + OwnStep, 0)]
    [InlineData(5e-3, 12.6e-3 + OwnStep + Step, 0)]
    [InlineData(5e-3, 12.6e-3 + OwnStep - Step, -Step / 32)]
    public void Learn_FromAFirstToken_FollowsWhoWasSentJustInTime(double elapsed, double firstTokenSeconds, double change) =>
        Assert.Equal(0.004 + change, StepJoin.Of(Short, Rates, elapsed, Batch, 0).Learn(0.004, firstTokenSeconds), 9);

    [Fact]
    public void Learn_FromWhatIsAlwaysLate_ComesToAnEnd()
    {
        var rates = ServiceRates.Initial;
        for (var sent = 0; sent < 1_000; sent++)
        {
            var join = StepJoin.Of(Short, rates, Step - rates.JoinSeconds % Step, Batch, 0);
            rates = rates with { JoinSeconds = join.Learn(rates.JoinSeconds, 60) };
        }

        Assert.Equal(0.25, rates.JoinSeconds, 9);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0.003)]
    [InlineData(0.011)]
    [InlineData(0.025)]
    public void Learn_FromAnEngineBehindAWay_FindsHowLongBeforeAStepToSend(double way)
    {
        const int Seed = 7;
        var random = new Random(Seed);
        var rates = ServiceRates.Initial;
        for (var sent = 0; sent < 2_000; sent++)
        {
            var elapsed = random.NextDouble() * Step;
            var left = Step - elapsed;
            var joins = left + (Step * Math.Ceiling(Math.Max(0, way - left) / Step));
            rates = rates with { JoinSeconds = StepJoin.Of(Short, rates, elapsed, Batch, 0).Learn(rates.JoinSeconds, joins + OwnStep) };
        }

        Assert.InRange(rates.JoinSeconds, way - (Step / 8), way + (Step / 4));
    }
}
