using System.Text;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Seeded draws. Each kind of draw has a stream of its own, so that changing one leaves the others as they were.</summary>
internal static class Chance
{
    /// <summary>A generator that depends on the seed and the stream's name only.</summary>
    public static Random Stream(int seed, string name) =>
        new((int)(Hashing.Chain(Hashing.Chain(0, (ulong)seed), Encoding.UTF8.GetBytes(name)) & int.MaxValue));

    /// <summary>Standard normal (Box and Muller); takes two draws.</summary>
    public static double Normal(this Random chance) =>
        Math.Sqrt(-2 * Math.Log(1 - chance.NextDouble())) * Math.Cos(2 * Math.PI * chance.NextDouble());

    /// <summary>Exponential with mean 1.</summary>
    public static double Exponential(this Random chance) => -Math.Log(1 - chance.NextDouble());

    /// <summary>Gamma with scale 1 (Marsaglia and Tsang, 2000; shapes below 1 by their power-of-uniform step).</summary>
    public static double Gamma(this Random chance, double shape)
    {
        if (shape < 1)
        {
            return chance.Gamma(shape + 1) * Math.Pow(1 - chance.NextDouble(), 1 / shape);
        }

        var d = shape - (1.0 / 3);
        var c = 1 / Math.Sqrt(9 * d);
        while (true)
        {
            var x = chance.Normal();
            var v = 1 + (c * x);
            if (v <= 0)
            {
                continue;
            }

            v = v * v * v;
            if (Math.Log(1 - chance.NextDouble()) < (x * x / 2) + d - (d * v) + (d * Math.Log(v)))
            {
                return d * v;
            }
        }
    }
}
