namespace Gateway.Routing;

/// <summary>A running distribution of times on a scale of steps of a quarter, from 50 ms to about a day; older ones fade. Not thread-safe.</summary>
internal sealed class ReturnTimes
{
    private const int Steps = 64;
    private const double LeastSeconds = 0.05;

    // With a thousand on the scale all count half: tools and networks change.
    private const int MostKept = 1_024;

    private static readonly double LogStep = Math.Log(1.25);

    private readonly float[] _counts = new float[Steps];

    /// <summary>Times that it rests on, faded ones as fractions.</summary>
    public double Count { get; private set; }

    public void Add(TimeSpan time)
    {
        if (Count >= MostKept)
        {
            for (var i = 0; i < Steps; i++)
            {
                _counts[i] /= 2;
            }
            Count /= 2;
        }
        _counts[(int)Math.Clamp(Math.Ceiling(Math.Log(time.TotalSeconds / LeastSeconds) / LogStep), 0, Steps - 1)]++;
        Count++;
    }

    /// <summary>A time that so large a share of them does not exceed, at most a quarter too long; zero where there are none.</summary>
    /// <param name="share">From 0 to 1.</param>
    public TimeSpan Quantile(double share)
    {
        var (sum, step) = (0.0, 0);
        for (; step < Steps - 1 && (sum += _counts[step]) < share * Count; step++)
        {
        }
        return Count > 0 ? TimeSpan.FromSeconds(LeastSeconds * Math.Exp(step * LogStep)) : TimeSpan.Zero;
    }
}
