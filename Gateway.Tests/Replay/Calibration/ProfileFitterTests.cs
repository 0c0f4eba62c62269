using Gateway.Replay.Calibration;
using Gateway.Simulation;

namespace Gateway.Tests.Replay.Calibration;

public class ProfileFitterTests
{
    private static readonly EngineProfile Truth = EngineProfiles.Rtx4090Llama8B;
    private static readonly EngineProfile Lender = EngineProfiles.H100Llama8B with { MaxBatchedTokens = 2_048 };

    [Fact]
    public void Fit_OfExactSpans_RecoversEveryConstant()
    {
        var fit = ProfileFitter.Fit(Spans(Truth, noise: 0, seed: 1), Lender)!;

        Assert.Equal(Truth.DecodePerSequence, fit.Profile.DecodePerSequence, 1e-6);
        Assert.Equal(Truth.DecodePerContextToken, fit.Profile.DecodePerContextToken, 1e-9);
        Assert.Equal(Truth.PrefillPerTokenPair, fit.Profile.PrefillPerTokenPair, 1e-10);
        Assert.Equal(Truth.MixedDecodeFactor, fit.Profile.MixedDecodeFactor, 1e-4);
        Assert.Equal(Truth.LayersPerTokenBeyond, fit.Profile.LayersPerTokenBeyond, 1e-6);
        Assert.Equal(3.5, fit.RequestMilliseconds!.Value, 1e-4);
        Assert.DoesNotContain(fit.Pieces, piece => piece.IsKept);
        Assert.InRange(MedianErrorOverGrid(Truth, fit.Profile), 0, 1e-5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Fit_OfSpansWithFivePercentOfNoiseAndOutliers_PredictsTheGridWithinThreePercent(int seed)
    {
        var spans = Spans(Truth, noise: 0.05, seed).Select((span, index) => index % 17 == 3 ? span with { Milliseconds = span.Milliseconds * 4 } : span).ToArray();

        var fit = ProfileFitter.Fit(spans, Lender)!;

        Assert.True(MedianErrorOverGrid(Truth, fit.Profile) <= 0.03, $"seed {seed}: {MedianErrorOverGrid(Truth, fit.Profile)}");
        Assert.True(fit.Outliers >= spans.Length / 17, $"seed {seed}: {fit.Outliers} of {spans.Length}");
    }

    [Fact]
    public void Fit_OfDecodesAlone_KeepsPrefillFromTheBaseAndSaysSo()
    {
        var spans = Spans(Truth, noise: 0, seed: 1).Where(span => span.Kind == ObservationKind.Decode).ToArray();

        var fit = ProfileFitter.Fit(spans, Lender)!;

        Assert.Equal(Lender.PrefillPerTokenPair, fit.Profile.PrefillPerTokenPair);
        Assert.Equal(Lender.MixedDecodeFactor, fit.Profile.MixedDecodeFactor);
        Assert.Equal("h100-llama-8b", fit.BaseProfile);
        Assert.Null(fit.RequestMilliseconds);
        Assert.Superset(new HashSet<string> { "prefillPerTokenPair", "mixedDecodeFactor" }, fit.Pieces.Where(piece => piece.IsKept).Select(piece => piece.Name).ToHashSet());
        Assert.InRange(fit.Quality[^1].MedianError, 0, 1e-3);
    }

    [Fact]
    public void Fit_OfOneSpan_KeepsAllButTheConstantPart()
    {
        var load = StepLoads.Decode(4, 400);
        var fit = ProfileFitter.Fit([new StepObservation(ObservationKind.Decode, [new StepCount(load, 1)], 0, 30)], Lender)!;

        Assert.Equal("base", Assert.Single(fit.Pieces, piece => !piece.IsKept).Name);
        Assert.Equal(30, new StepTime(fit.Profile).Milliseconds(load), 1e-9);
    }

    [Fact]
    public void Fit_WithNothingUsable_IsNull()
    {
        var load = StepLoads.Decode(1, 10);

        Assert.Null(ProfileFitter.Fit([], Lender));
        Assert.Null(ProfileFitter.Fit([new StepObservation(ObservationKind.Decode, [new StepCount(load, 1)], 0, double.NaN), new StepObservation(ObservationKind.Decode, [], 0, 5)], Lender));
    }

    [Fact]
    public void Fit_OfAnyPositiveSpans_NeverGivesANegativeConstant()
    {
        for (var seed = 1; seed <= 30; seed++)
        {
            var fit = ProfileFitter.Fit(Spans(Truth, noise: 0.6, seed), Lender)!;

            Assert.True(fit.Pieces.All(piece => piece.Value >= 0 && double.IsFinite(piece.Value)), $"seed {seed}");
            Assert.True(fit.Profile.Layers.Zip(fit.Profile.Layers.Skip(1)).All(pair => pair.First.Milliseconds <= pair.Second.Milliseconds), $"seed {seed}");
        }
    }

    /// <summary>Median relative error of predicted steps over batch, context and prefill.</summary>
    internal static double MedianErrorOverGrid(EngineProfile truth, EngineProfile fitted)
    {
        var (real, predicted) = (new StepTime(truth), new StepTime(fitted));
        var errors = new List<double>();
        foreach (var batch in new[] { 0, 1, 4, 16, 32, 64 })
        {
            foreach (var context in new[] { 128, 512, 1_024, 2_048 })
            {
                foreach (var prefill in new[] { 0, 64, 256, 512, 1_024, 1_900 })
                {
                    var load = prefill == 0
                        ? StepLoads.Decode(batch, (long)batch * context)
                        : new StepLoad(batch + prefill, batch + 1, batch, (long)batch * context, 1, prefill * (prefill / 2.0));
                    if (load.Tokens > 0)
                    {
                        errors.Add(Math.Abs(predicted.Milliseconds(load) - real.Milliseconds(load)) / real.Milliseconds(load));
                    }
                }
            }
        }

        errors.Sort();
        return errors[errors.Count / 2];
    }

    private static StepObservation[] Spans(EngineProfile truth, double noise, int seed)
    {
        var chance = new Random(seed);
        var time = new StepTime(truth);
        var spans = new List<StepObservation>();
        foreach (var batch in new[] { 1, 4, 8, 24, 48, 64 })
        {
            foreach (var context in new[] { 64, 1_024, 3_000 })
            {
                Add(ObservationKind.Decode, [StepLoads.Decode(batch, batch * context)], 0);
                foreach (var guest in new[] { 48, 256, 1_024 })
                {
                    Add(ObservationKind.Mixed, StepLoads.Prefill(guest, 0, 2_048, batch, batch * context), 0);
                }
            }
        }

        foreach (var tokens in new[] { 8, 16, 64, 100, 128, 256, 512, 1_024, 2_048, 4_096, 8_000 })
        {
            Add(ObservationKind.Prefill, StepLoads.Prefill(tokens, 0, 2_048), 3.5);
        }

        return [.. spans];

        void Add(ObservationKind kind, IEnumerable<StepLoad> loads, double request)
        {
            var steps = loads.Select(load => new StepCount(load, 1)).ToArray();
            var exact = request + steps.Sum(step => step.Count * time.Milliseconds(step.Load));
            spans.Add(new StepObservation(kind, steps, request > 0 ? 1 : 0, exact * (1 + (noise * ((2 * chance.NextDouble()) - 1)))));
        }
    }
}
