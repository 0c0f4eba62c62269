using System.Globalization;
using Microsoft.AspNetCore.Http;

namespace Gateway.Api;

/// <summary>Numbers in headers. An absent header is read as null; false means that there is one, and that it is not what it must be.</summary>
internal static class HeaderNumbers
{
    /// <summary>What <see cref="TryMilliseconds"/> takes, in words.</summary>
    public const string Milliseconds = "a positive number of milliseconds, at most seven days";

    /// <summary>What <see cref="TrySeconds"/> takes, in words.</summary>
    public const string Seconds = "a positive number of seconds, at most seven days";

    /// <summary>What <see cref="TryCount"/> takes, in words.</summary>
    public const string Count = "a whole number from 0 to 100";

    private const int LargestCount = 100;

    private static readonly TimeSpan Longest = TimeSpan.FromDays(7);

    public static bool TryMilliseconds(IHeaderDictionary headers, string name, out TimeSpan? span) => TrySpan(headers, name, TimeSpan.FromMilliseconds(1), out span);

    public static bool TrySeconds(IHeaderDictionary headers, string name, out TimeSpan? span) => TrySpan(headers, name, TimeSpan.FromSeconds(1), out span);

    public static bool TryCount(IHeaderDictionary headers, string name, out int? count)
    {
        count = null;
        if (!headers.TryGetValue(name, out var values))
        {
            return true;
        }
        if (!int.TryParse(values.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > LargestCount)
        {
            return false;
        }
        count = number;
        return true;
    }

    private static bool TrySpan(IHeaderDictionary headers, string name, TimeSpan unit, out TimeSpan? span)
    {
        span = null;
        if (!headers.TryGetValue(name, out var values))
        {
            return true;
        }
        if (!double.TryParse(values.ToString(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || !(number > 0 && number <= Longest / unit))
        {
            return false;
        }
        span = number * unit;
        return true;
    }
}
