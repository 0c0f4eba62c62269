using Gateway.Replicas.Rates;

namespace Gateway.Tests.Replicas.Rates;

public sealed class RateCalibrationTests
{
    [Theory]
    [InlineData(1.0)]
    [InlineData(0.5)]
    [InlineData(1.8)]
    public void With_ManyComparisons_FindsTheBoundsAndTheError(double bias)
    {
        var chance = new Random(11);
        var calibration = default(RateCalibration);

        for (var i = 0; i < 3_000; i++)
        {
            calibration = calibration.With(1, bias * (0.8 + (0.4 * chance.NextDouble())));
        }

        Assert.InRange(calibration.UpperFactor, bias * 1.08, bias * 1.22);
        Assert.InRange(calibration.LowerFactor, 0.7 * Math.Min(1, bias), Math.Min(1, bias * 0.9));
        Assert.InRange(calibration.CoverageRatio, 0.8, 1);
        Assert.Equal(3_000, calibration.Predictions);
    }

    [Fact]
    public void With_TheFirstComparison_StartsWide()
    {
        var calibration = default(RateCalibration).With(2, 1);

        Assert.Equal((1, 1.0, 1.0), (calibration.Predictions, calibration.MeanRelativeError, calibration.CoverageRatio));
        Assert.InRange(calibration.LowerFactor, 0.3, 0.35);
        Assert.InRange(calibration.UpperFactor, 2.9, 3);
    }
}
