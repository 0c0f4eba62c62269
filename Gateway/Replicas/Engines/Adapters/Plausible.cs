namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Numbers of engines as far as they can be true; null: not told, or absurd.</summary>
internal static class Plausible
{
    private const double MostRequests = 10_000_000;
    private const double MostTokens = 1e12;
    private const double LargestExact = 1L << 53;

    public static int? Count(double? value) => value is >= 0 and <= MostRequests ? (int)Math.Round(value.Value) : null;

    public static int? AtLeastOne(double? value) => value is >= 1 and <= MostRequests ? (int)value.Value : null;

    public static int? Context(double? value) => value is >= 1 and <= int.MaxValue ? (int)value.Value : null;

    public static long? Tokens(double? value) => value is >= 1 and <= MostTokens ? (long)value.Value : null;

    public static long? Total(double? value) => value is >= 0 and <= LargestExact ? (long)value.Value : null;

    /// <summary>A share, 0 to 1; engines overshoot 1 by roundings.</summary>
    public static double? Share(double? value) => value is >= 0 and <= 1.01 ? Math.Min(1, value.Value) : null;
}
