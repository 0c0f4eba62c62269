namespace Gateway.Estimation;

/// <summary>A distribution of output lengths over log-spaced bins (half octaves, 1 to 32,768 and beyond). Immutable.</summary>
public sealed class LengthHistogram
{
    /// <summary>Number of bins.</summary>
    public const int Bins = 32;

    private static readonly double[] Edges = MakeEdges();
    private readonly double[] _survival = new double[Bins + 1];

    /// <param name="weights">Weight of each bin, <see cref="Bins"/> long, not all zero.</param>
    public LengthHistogram(ReadOnlySpan<double> weights)
    {
        double total = 0;
        foreach (var weight in weights)
        {
            total += weight;
        }
        double above = total;
        for (var bin = 0; bin < Bins; bin++)
        {
            _survival[bin] = above / total;
            above -= weights[bin];
        }
        _survival[Bins] = 0;
    }

    /// <summary>The bin that holds a length.</summary>
    public static int BinOf(int tokens)
    {
        if (tokens <= 0)
        {
            return 0;
        }
        var bin = (int)(2 * Math.Log2(tokens)) + 1;
        return Math.Min(bin, Bins - 1);
    }

    /// <summary>The lengths from which and up to which (exclusive) a bin counts.</summary>
    public static (double Low, double High) EdgesOf(int bin) => (Edges[bin], Edges[bin + 1]);

    /// <summary>P(length > tokens), linear inside a bin; 1 below 0, never rising.</summary>
    public double Survival(double tokens)
    {
        if (tokens < 0)
        {
            return 1;
        }
        for (var bin = 0; bin < Bins; bin++)
        {
            if (tokens < Edges[bin + 1])
            {
                var share = (tokens - Edges[bin]) / (Edges[bin + 1] - Edges[bin]);
                return _survival[bin] + ((_survival[bin + 1] - _survival[bin]) * share);
            }
        }
        return 0;
    }

    /// <summary>The integral of <see cref="Survival"/> from one length to another: expected tokens in that span.</summary>
    public double ExpectedTokens(double from, double to)
    {
        double sum = 0;
        for (var bin = 0; bin < Bins; bin++)
        {
            var low = Math.Max(from, Edges[bin]);
            var high = Math.Min(to, Edges[bin + 1]);
            if (high > low)
            {
                sum += (high - low) * (Survival(low) + SurvivalBefore(bin, high)) / 2;
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
                sum += (Survival(low) - SurvivalBefore(bin, high)) * Math.Exp(Math.Min(mostExponent, rate * (low + high) / 2));
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

    private double SurvivalBefore(int bin, double tokens) =>
        tokens >= Edges[bin + 1] ? _survival[bin + 1] : Survival(tokens);

    private static double[] MakeEdges()
    {
        var edges = new double[Bins + 1];
        for (var bin = 1; bin <= Bins; bin++)
        {
            edges[bin] = Math.Pow(2, (bin - 1) / 2.0);
        }
        return edges;
    }
}
