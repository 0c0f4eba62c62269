namespace Gateway.Estimation;

/// <summary>A distribution of lengths over log-spaced bins (quarter octaves, 1 to 55,000; shorter and longer ones share the outer bins). Nobody changes it but the tally that wrote it.</summary>
public sealed class LengthHistogram
{
    /// <summary>Number of bins.</summary>
    public const int Bins = 64;

    /// <summary>Bins per octave.</summary>
    public const int PerOctave = 4;

    private const double LeastSpread = 0.1;
    private const double MostSpread = 2;

    private static readonly double[] Edges = MakeEdges();
    private readonly double[] _survival = new double[Bins + 1];

    /// <param name="weights">Weight of each bin, <see cref="Bins"/> long, not all zero.</param>
    public LengthHistogram(ReadOnlySpan<double> weights) => Write(weights);

    /// <summary>Overwrites the distribution. A reader at that moment sees some bins of each, which is still a valid distribution of shares from 0 to 1.</summary>
    /// <param name="weights">As of a new one.</param>
    internal void Write(ReadOnlySpan<double> weights)
    {
        Span<double> above = stackalloc double[Bins + 1];
        above[Bins] = 0;
        // From the right, so that what nothing reached is exactly 0 and the curve never rises.
        for (var bin = Bins - 1; bin >= 0; bin--)
        {
            above[bin] = above[bin + 1] + weights[bin];
        }
        for (var bin = 0; bin < Bins; bin++)
        {
            _survival[bin] = above[bin] / above[0];
        }
        Median = Quantile(0.5);
        RootSpread = Math.Sqrt(Math.Clamp(Math.Log((1 + Quantile(0.84)) / (1 + Quantile(0.16))) / 2, LeastSpread, MostSpread));
    }

    /// <summary>The length that half of the answers do not exceed.</summary>
    public double Median { get; private set; }

    /// <summary>Square root of the spread of ln(1 + length): half the distance between its 16 % and 84 % quantiles, which is one standard deviation of a normal distribution, cut to 0.1 to 2.</summary>
    public double RootSpread { get; private set; }

    /// <summary>The bin that holds a length.</summary>
    public static int BinOf(double tokens) =>
        tokens < 1 ? 0 : Math.Min((int)(PerOctave * Math.Log2(tokens)) + 1, Bins - 1);

    /// <summary>The lengths from which and up to which (exclusive) a bin counts.</summary>
    public static (double Low, double High) EdgesOf(int bin) => (Edges[bin], Edges[bin + 1]);

    /// <summary>P(length > tokens), linear inside a bin; 1 below 0, never rising.</summary>
    public double Survival(double tokens)
    {
        if (tokens < 0)
        {
            return 1;
        }
        return tokens >= Edges[Bins] ? 0 : Within(Holding(tokens), tokens);
    }

    /// <summary>The integral of <see cref="Survival"/> from one length to another: expected tokens in that span.</summary>
    public double ExpectedTokens(double from, double to)
    {
        double sum = 0;
        for (var bin = 0; bin < Bins && _survival[bin] > 0; bin++)
        {
            var low = Math.Max(from, Edges[bin]);
            var high = Math.Min(to, Edges[bin + 1]);
            if (high > low)
            {
                sum += (high - low) * (Within(bin, low) + Within(bin, high)) / 2;
            }
        }
        return sum;
    }

    /// <summary>E[exp(rate·L)] with lengths cut to a span; each bin counts at its middle, and the exponent is cut at <paramref name="mostExponent"/>.</summary>
    public double ExpectedExponential(double rate, double from, double to, double mostExponent)
    {
        var sum = (1 - Survival(from)) * Math.Exp(Math.Min(mostExponent, rate * from));
        for (var bin = 0; bin < Bins; bin++)
        {
            var low = Math.Max(from, Edges[bin]);
            var high = Math.Min(to, Edges[bin + 1]);
            if (high > low)
            {
                sum += (Within(bin, low) - Within(bin, high)) * Math.Exp(Math.Min(mostExponent, rate * (low + high) / 2));
            }
        }
        return sum + (Survival(to) * Math.Exp(Math.Min(mostExponent, rate * to)));
    }

    /// <summary>The smallest length that at least a share <paramref name="quantile"/> of answers does not exceed.</summary>
    /// <param name="quantile">0 to 1.</param>
    public double Quantile(double quantile)
    {
        var target = 1 - quantile;
        for (var bin = 0; bin < Bins; bin++)
        {
            if (_survival[bin + 1] <= target)
            {
                var drop = _survival[bin] - _survival[bin + 1];
                var share = drop <= 0 ? 0 : Math.Clamp((_survival[bin] - target) / drop, 0, 1);
                return Edges[bin] + (share * (Edges[bin + 1] - Edges[bin]));
            }
        }
        return Edges[Bins];
    }

    private static int Holding(double tokens)
    {
        // The logarithm may round over an edge; the edges decide.
        var bin = BinOf(tokens);
        return tokens < Edges[bin] ? bin - 1 : tokens >= Edges[bin + 1] ? bin + 1 : bin;
    }

    private double Within(int bin, double tokens)
    {
        var share = (tokens - Edges[bin]) / (Edges[bin + 1] - Edges[bin]);
        return _survival[bin] + ((_survival[bin + 1] - _survival[bin]) * share);
    }

    private static double[] MakeEdges()
    {
        var edges = new double[Bins + 1];
        for (var bin = 1; bin <= Bins; bin++)
        {
            edges[bin] = Math.Pow(2, (bin - 1) / (double)PerOctave);
        }
        return edges;
    }
}
