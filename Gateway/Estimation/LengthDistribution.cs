namespace Gateway.Estimation;

/// <summary>A distribution of lengths: a shape that many share, stretched by a scale. Made without allocation.</summary>
/// <param name="Shape">The distribution at scale 1.</param>
/// <param name="Scale">Factor on every length of the shape, above 0.</param>
public readonly record struct LengthDistribution(LengthHistogram Shape, double Scale)
{
    /// <summary>P(length > tokens).</summary>
    public double Survival(double tokens) => Shape.Survival(tokens / Scale);

    /// <summary>Expected tokens between two lengths: the integral of <see cref="Survival"/>.</summary>
    public double ExpectedTokens(double from, double to) => Scale * Shape.ExpectedTokens(from / Scale, to / Scale);

    /// <summary>E[exp(rate·L)] with lengths cut to a span and the exponent cut at <paramref name="mostExponent"/>.</summary>
    public double ExpectedExponential(double rate, double from, double to, double mostExponent) =>
        Shape.ExpectedExponential(rate * Scale, from / Scale, to / Scale, mostExponent);

    /// <summary>The length not exceeded by a share <paramref name="quantile"/> of answers.</summary>
    public double Quantile(double quantile) => Scale * Shape.Quantile(quantile);
}
