using System.Globalization;

namespace Gateway.Cli;

/// <summary>A number with its noun in the right form.</summary>
internal static class Counted
{
    /// <param name="count">The number.</param>
    /// <param name="noun">For one; its plural is made with an s.</param>
    public static string Of(long count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");
}
