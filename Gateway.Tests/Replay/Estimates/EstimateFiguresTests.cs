using Gateway.Replay.Estimates;
using static Gateway.Tests.Replay.Estimates.LabelledRows;

namespace Gateway.Tests.Replay.Estimates;

public sealed class EstimateFiguresTests
{
    private static readonly LengthBuckets Buckets = new([10, 20, 30, 40]);

    [Fact]
    public void Of_ThreeWholeAnswersAndACutOne_IsWhatIsComputedByHand()
    {
        ScoredRow[] scored =
        [
            Scored(Row(9), median: 19, upper: 40),
            Scored(Row(39), median: 19, upper: 30),
            Scored(Row(19), median: 19, upper: 25),
            Scored(Row(500, isCensored: true), median: 1, upper: 1),
        ];

        var figures = EstimateFigures.Of(scored, Buckets);

        Assert.Equal((4, 0.25), (figures.Rows, figures.CensoredShare));
        Assert.Equal((10 + 20 + 0) / 3.0, figures.MeanAbsoluteError, 9);
        Assert.Equal(Math.Log(2), figures.MedianLogRatio, 9);                     // |ln| of 20/10, 20/40, 20/20
        Assert.Equal(1 / 3.0, figures.RightBucketShare, 9);
        Assert.Equal((5 + 10 + 0) / 3.0, figures.MedianPinball, 9);
        Assert.Equal((3.1 + 8.1 + 0.6) / 3.0, figures.UpperPinball, 9);           // 0.1·31, 0.9·9, 0.1·6
        Assert.Equal((2 / 3.0, 2 / 3.0), (figures.MedianCoverage, figures.UpperCoverage));
        Assert.True(double.IsNaN(figures.TauWithinModel));
        Assert.True(double.IsNaN(figures.TauBetweenSamples));
    }

    [Fact]
    public void Of_GroupsOfUnequalSize_WeighsTheOrderByRows()
    {
        var ordered = Enumerable.Range(1, 60).Select(tokens => Scored(Row(tokens, "a"), tokens));
        var reversed = Enumerable.Range(1, 30).Select(tokens => Scored(Row(tokens, "b", "n"), 100 - tokens));
        var tooFew = Enumerable.Range(1, 29).Select(tokens => Scored(Row(tokens, "c", "o"), 100 - tokens));

        var figures = EstimateFigures.Of([.. ordered, .. reversed, .. tooFew], Buckets);

        Assert.Equal((60 - 30) / 90.0, figures.TauWithinApplication, 9);
        Assert.Equal((60 - 30) / 90.0, figures.TauWithinModel, 9);
    }

    [Fact]
    public void Of_OneModelOfTwoApplications_OrdersWithinEachAndOverBoth()
    {
        var shorter = Enumerable.Range(1, 30).Select(tokens => Scored(Row(tokens, "a"), 1));
        var longer = Enumerable.Range(101, 30).Select(tokens => Scored(Row(tokens, "b"), 2));

        var figures = EstimateFigures.Of([.. shorter, .. longer], Buckets);

        Assert.Equal(0, figures.TauWithinApplication);
        Assert.Equal(900 / Math.Sqrt(900.0 * 1770), figures.TauWithinModel, 9);    // all pairs 60·59/2, those of one application tied
    }

    [Fact]
    public void Of_SampledAnswers_ComparesWithTheirMeanAndOneWithAnother()
    {
        var scored = Enumerable.Range(1, 30).Select(index => Scored(Row(index, samples: [index * 10, -index + 100, index]), median: 3 * index));

        var figures = EstimateFigures.Of([.. scored], Buckets);

        Assert.Equal(1, figures.TauOfSampleMean, 9);
        Assert.Equal(-1, figures.TauBetweenSamples, 9);
    }

    [Fact]
    public void Of_WhatRemains_LooksOnlyAtAnswersThatAreLonger()
    {
        ScoredRow[] scored =
        [
            Scored(Row(40), median: 60, remaining: new RemainingForecast(60, 30, 10)),
            Scored(Row(100), median: 60, remaining: new RemainingForecast(60, 30, 10)),
            Scored(Row(250), median: 60, remaining: new RemainingForecast(60, 30, 10)),
        ];

        var remaining = EstimateFigures.Of(scored, Buckets).Remaining;

        Assert.Equal(new RemainingFigures(0, 3, (20 + 40 + 190) / 3.0, (20 + 40 + 190) / 3.0), remaining[0]);
        Assert.Equal(new RemainingFigures(50, 2, (20 + 170) / 2.0, (40 + 190) / 2.0), remaining[1]);   // 30 and 10 against 50 and 200
        Assert.Equal(new RemainingFigures(200, 1, 40, 50), remaining[2]);                              // 10 and 0 against 50
    }

    [Fact]
    public void Of_NoRows_TellsNothing()
    {
        var figures = EstimateFigures.Of([], Buckets);

        Assert.Equal(0, figures.Rows);
        Assert.All([figures.CensoredShare, figures.MeanAbsoluteError, figures.MedianLogRatio, figures.UpperCoverage, figures.Remaining[0].Refined], figure => Assert.True(double.IsNaN(figure)));
    }

    [Fact]
    public void Buckets_OfFiveEqualShares_HoldAFifthEach()
    {
        var buckets = LengthBuckets.Of([.. Enumerable.Range(1, 100).Select(tokens => Row(tokens)), Row(1_000_000, isCensored: true)]);

        Assert.Equal([20, 40, 60, 80], buckets.Borders);
        Assert.Equal([0, 0, 1, 3, 4, 4], new[] { 0, 20, 21, 80, 81, 5_000 }.Select(tokens => buckets.Of(tokens)));
    }
}
