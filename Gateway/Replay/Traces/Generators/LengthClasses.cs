namespace Gateway.Replay.Traces.Generators;

/// <summary>
/// Output lengths together with the class that a small classifier gave the prompt: SSJF's predictor on 85,482 vicuna-13b requests, outputs capped at 512.
/// A class is drawn by its share, then a length by linear interpolation of the class's inverse distribution. The class says something of the length, not all.
/// </summary>
internal static class LengthClasses
{
    private static readonly double[] Shares = [0.2515, 0.2496, 0.2319, 0.2388, 0.0283];

    private static readonly double[] Quantiles = [0, 0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99, 1];

    private static readonly double[][] Lengths =
    [
        [2, 2, 2, 2, 10, 19, 37, 76, 128, 332, 511],
        [2, 8, 20, 31, 56, 94, 153, 256, 327, 453, 511],
        [2, 18, 58, 91, 144, 221, 302, 383, 432, 496, 511],
        [2, 29, 91, 145, 245, 326, 399, 458, 485, 509, 511],
        [3, 12, 53, 111, 256, 376, 460, 499, 508, 511, 511],
    ];

    /// <summary>Two draws: the class, and the place in it.</summary>
    public static (double Tokens, int Class) Draw(Random chance)
    {
        var chosen = ClassAt(chance.NextDouble());
        return (LengthAt(chosen, chance.NextDouble()), chosen);
    }

    private static int ClassAt(double share)
    {
        var index = 0;
        for (var sum = Shares[0]; index < Shares.Length - 1 && share >= sum; sum += Shares[index])
        {
            index++;
        }

        return index;
    }

    private static double LengthAt(int index, double quantile)
    {
        var upper = 1;
        while (Quantiles[upper] < quantile)
        {
            upper++;
        }

        var part = (quantile - Quantiles[upper - 1]) / (Quantiles[upper] - Quantiles[upper - 1]);
        return double.Lerp(Lengths[index][upper - 1], Lengths[index][upper], part);
    }
}
