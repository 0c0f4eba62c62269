namespace Gateway.Replicas.Rates;

/// <summary>How predicted seconds compare with those that came, over the last hundred or so.</summary>
/// <param name="Predictions">How many were compared.</param>
/// <param name="MeanRelativeError">Mean of |came − predicted| / came.</param>
/// <param name="CoverageRatio">Share of those that came within <see cref="UpperFactor"/> times the prediction; 0.9 is right.</param>
/// <param name="LowerFactor">What came was below this multiple of the prediction one time in twenty.</param>
/// <param name="UpperFactor">What came was above this multiple of the prediction one time in ten.</param>
public readonly record struct RateCalibration(int Predictions, double MeanRelativeError, double CoverageRatio, double LowerFactor, double UpperFactor)
{
    // How far a bound moves when it was wrong, in natural logarithms: about ten such moves make a factor of two.
    private const double Pace = 0.06;
    private const double LowerShare = 0.05;
    private const double UpperShare = 0.9;
    private const double Memory = 100;

    // Bounds start wide, so that nothing is refused because of predictions that were never compared.
    private const double StartFactor = 3;

    // Bounds stay within this factor: farther out they say nothing.
    private const double FarthestFactor = 100;

    /// <summary>Takes in one comparison.</summary>
    /// <param name="predictedSeconds">Above 0.</param>
    /// <param name="actualSeconds">Above 0.</param>
    public RateCalibration With(double predictedSeconds, double actualSeconds)
    {
        var count = Math.Min(int.MaxValue - 1, Predictions) + 1;
        var weight = Math.Max(1 / Memory, 1.0 / count);
        var (lower, upper) = Predictions == 0 ? (1 / StartFactor, StartFactor) : (LowerFactor, UpperFactor);
        var ratio = actualSeconds / predictedSeconds;
        // Each bound moves inwards a little when it held and outwards a lot when it did not, so that it settles where its share of surprises is right.
        var isCovered = ratio <= upper;
        var movedUpper = upper * Math.Exp(Pace * (isCovered ? UpperShare - 1 : UpperShare));
        var movedLower = lower * Math.Exp(Pace * (ratio < lower ? LowerShare - 1 : LowerShare));
        return new RateCalibration(
            count,
            MeanRelativeError + (weight * (Math.Min(FarthestFactor, Math.Abs(actualSeconds - predictedSeconds) / actualSeconds) - MeanRelativeError)),
            CoverageRatio + (weight * ((isCovered ? 1 : 0) - CoverageRatio)),
            Math.Clamp(movedLower, 1 / FarthestFactor, 1),
            Math.Clamp(movedUpper, 1 / FarthestFactor, FarthestFactor));
    }
}
