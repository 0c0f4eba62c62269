namespace Gateway.Replay.Reports;

/// <summary>One point of a cumulative distribution: this share of the values is at most so large.</summary>
public readonly record struct CdfPoint(double Value, double Share);

/// <summary>
/// Counts of values in seconds over log-linear bins: 128 equal steps per power of two, so that a bin's middle is within 0.4 % of
/// every value in it, from 1 µs to 10⁶ s. Below counts as near 0, above as the maximum. Fixed memory (40 KB), not thread-safe.
/// </summary>
public sealed class LatencyHistogram
{
    private const int StepBits = 7;
    private const int LowestExponent = -20;
    private const int Octaves = 40;
    private const int Bins = (Octaves << StepBits) + 2;
    private const int MantissaBits = 52;

    // The leading bits of a double are its exponent and then its mantissa: shifted right they number the bins in order of value.
    private const long FirstKey = (1023L + LowestExponent) << StepBits;
    private readonly long[] _counts = new long[Bins];
    private double _sum;
    private double _lostInSum;

    /// <summary>Values added.</summary>
    public long Count { get; private set; }

    /// <summary>Sum of the values, free of the drift of adding millions of them.</summary>
    public double Sum => _sum + _lostInSum;

    /// <summary>Smallest value; 0 when empty.</summary>
    public double Min { get; private set; }

    /// <summary>Largest value; 0 when empty.</summary>
    public double Max { get; private set; }

    /// <summary>Mean of the values; 0 when empty.</summary>
    public double Mean => Count == 0 ? 0 : Sum / Count;

    /// <param name="seconds">A value; what is negative or no number counts as 0.</param>
    public void Add(double seconds)
    {
        var value = seconds > 0 ? seconds : 0;
        Min = Count == 0 ? value : Math.Min(Min, value);
        Max = Math.Max(Max, value);
        Count++;
        AddToSum(value);
        _counts[BinOf(value)]++;
    }

    /// <summary>The value at place floor(share × count) of the sorted values, within 0.4 %; 0 when empty.</summary>
    /// <param name="share">0 to 1.</param>
    public double Quantile(double share)
    {
        var place = Math.Min((long)(Math.Clamp(share, 0, 1) * Count), Count - 1);
        long seen = 0;
        for (var bin = 0; bin < Bins && Count > 0; bin++)
        {
            seen += _counts[bin];
            if (seen > place)
            {
                return Math.Clamp(MiddleOf(bin), Min, Max);
            }
        }
        return Max;
    }

    /// <summary>The cumulative distribution, thinned to about so many points, rising in both coordinates.</summary>
    public IReadOnlyList<CdfPoint> Cdf(int points)
    {
        var curve = new List<CdfPoint>(points + 2);
        if (Count == 0)
        {
            return curve;
        }
        curve.Add(new CdfPoint(Min, 0));
        long seen = 0;
        double next = 0;
        for (var bin = 0; bin < Bins; bin++)
        {
            seen += _counts[bin];
            if (_counts[bin] > 0 && (seen >= next || seen == Count))
            {
                curve.Add(new CdfPoint(Math.Clamp(UpperEdgeOf(bin), Min, Max), (double)seen / Count));
                next = seen + ((double)Count / points);
            }
        }
        return curve;
    }

    private static int BinOf(double value)
    {
        var key = (BitConverter.DoubleToInt64Bits(value) >> (MantissaBits - StepBits)) - FirstKey;
        return (int)Math.Clamp(key + 1, 0, Bins - 1);
    }

    private static double LowerEdgeOf(int bin) =>
        bin == 0 ? 0 : BitConverter.Int64BitsToDouble((bin - 1 + FirstKey) << (MantissaBits - StepBits));

    private static double UpperEdgeOf(int bin) => bin == Bins - 1 ? double.PositiveInfinity : LowerEdgeOf(bin + 1);

    private static double MiddleOf(int bin) => bin switch
    {
        0 => 0,
        _ => (LowerEdgeOf(bin) + UpperEdgeOf(bin)) / 2,
    };

    // Neumaier's compensated sum: what each addition rounds away is kept apart.
    private void AddToSum(double value)
    {
        var total = _sum + value;
        _lostInSum += Math.Abs(_sum) >= value ? _sum - total + value : value - total + _sum;
        _sum = total;
    }
}
