using Gateway.Replay.Calibration;

namespace Gateway.Tests.Replay.Calibration;

public class StreamObservationsTests
{
    [Fact]
    public void Prefill_OfThreeRepeats_TakesTheMiddleAndCutsItByTheBudget()
    {
        var repeats = new[] { 900.0, 210, 200 }.Select(ttft => new StreamTiming(0, [ttft], 3_000, 0)).ToArray();

        var span = StreamObservations.Prefill(repeats, 2_048)!;

        Assert.Equal((210, 1), (span.Milliseconds, span.Requests));
        Assert.Equal([2_048, 952], span.Steps.Select(step => step.Load.Tokens));
        Assert.Equal(952 * (2_048 + 476.0), span.Steps[1].Load.PrefillTokenPairs);
    }

    [Fact]
    public void Together_WithAGuest_SplitsDecodesFromTheMixedStep()
    {
        // Steps of 20 ms; the sixth after the guest was sent takes 70 instead, and the guest's token comes at its end.
        double[] times = [100, 120, 140, 160, 180, 200, 270, 290, 310, 330, 350, 370];
        StreamTiming[] streams = [new(0, times, 100, 0), new(0, [.. times.Select(time => time + 0.4)], 200, 0)];

        var spans = StreamObservations.Together(streams, [new StreamTiming(205, [270.2], 512, 0)], 2_048);

        Assert.Equal([ObservationKind.Decode, ObservationKind.Mixed, ObservationKind.Decode], spans.Select(span => span.Kind));
        Assert.Equal(20, spans[0].Milliseconds, 1e-6);
        Assert.Equal(70, spans[1].Milliseconds, 1e-6);
        Assert.Equal(20, spans[2].Milliseconds, 1e-6);
        Assert.Equal((514, 2, 100L + 5 + 200 + 5), (spans[1].Steps[0].Load.Tokens, spans[1].Steps[0].Load.Decodes, spans[1].Steps[0].Load.DecodeContextTokens));
    }

    [Theory]
    [InlineData(9_000, 5, 2_048)]
    [InlineData(9_000, 9, 1_024)]
    [InlineData(9_000, 2, 8_192)]
    [InlineData(9_000, 3, 4_096)]
    [InlineData(9_000, 1, null)]
    public void TokenBudget_FromTheSlowGapsOfALongPrompt_FindsTheUsualSize(int promptTokens, int slowGaps, int? expected)
    {
        var times = new List<double> { 0 };
        times.AddRange(Enumerable.Range(1, 10).Select(step => 20.0 * step));
        times.AddRange(Enumerable.Range(1, slowGaps).Select(step => 200 + (150.0 * step)));
        var guestAt = times[^1];
        times.AddRange(Enumerable.Range(1, 5).Select(step => guestAt + (20.0 * step)));

        var budget = StreamObservations.TokenBudget(new StreamTiming(0, times, 100, 0), new StreamTiming(190, [guestAt], promptTokens, 0));

        Assert.Equal(expected, budget);
    }

    [Fact]
    public void Concurrency_WhereOneStartsAfterOthersEnded_IsLimited()
    {
        StreamTiming[] streams = [new(0, [10, 20, 30], 1, 0), new(0, [10, 20, 30], 1, 0), new(0, [40, 50, 60], 1, 0)];

        Assert.Equal((2, true), StreamObservations.Concurrency(streams));
        Assert.Equal((2, false), StreamObservations.Concurrency(streams[..2]));
    }
}
