using System.Globalization;

namespace Gateway.Configuration;

/// <summary>Spans of time, sizes and paths between their written and their typed form.</summary>
internal static class SettingText
{
    private const int MaxShown = 60;

    private static readonly (string Unit, double Seconds)[] TimeUnits = [("ms", 0.001), ("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

    private static readonly (string Unit, double Bytes)[] SizeUnits =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ];

    /// <summary>Seconds of <c>30s</c>, <c>500ms</c>, <c>1.5h</c>; null where the text is no span of time. A bare 0 needs no unit.</summary>
    public static double? Seconds(string text) => text == "0" ? 0 : WithUnit(text, TimeUnits);

    /// <summary>Bytes of <c>64MiB</c>, <c>1MB</c> or <c>4096</c>; null where the text is no size.</summary>
    public static double? Bytes(string text) => WithUnit(text, SizeUnits) ?? Number(text);

    /// <summary>A finite number in invariant notation; null otherwise.</summary>
    public static double? Number(string text) =>
        double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var number)
        && double.IsFinite(number) ? number : null;

    /// <summary>Writes a span of time in the largest unit that leaves no fraction.</summary>
    public static string WriteSeconds(double seconds) => Write(seconds, TimeUnits.Reverse(), "s");

    /// <summary>Writes a size in the largest binary unit that leaves no fraction.</summary>
    public static string WriteBytes(double bytes) => Write(bytes, SizeUnits.Take(4).Reverse(), "");

    public static string WriteNumber(double number) => number.ToString(CultureInfo.InvariantCulture);

    public static string Join(string path, string key) => path.Length == 0 ? Shown(key) : path + "." + Shown(key);

    /// <summary>The text as it may stand in a message: one short line, and nothing at all of what may carry a password.</summary>
    public static string Shown(string text)
    {
        if (text.Contains('@', StringComparison.Ordinal))
        {
            return "(not shown)";
        }

        var line = string.Concat(text.Take(MaxShown).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '?' : c));
        return text.Length > MaxShown ? line + "..." : line;
    }

    private static double? WithUnit(string text, IEnumerable<(string Unit, double Factor)> units)
    {
        var digits = text.AsSpan().TrimEnd("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ").Length;
        var unit = text.AsSpan(digits);
        foreach (var (name, factor) in units)
        {
            if (unit.SequenceEqual(name))
            {
                return Number(text[..digits].TrimEnd(' ')) * factor;
            }
        }

        return null;
    }

    private static string Write(double value, IEnumerable<(string Unit, double Factor)> largestFirst, string smallest)
    {
        foreach (var (name, factor) in largestFirst)
        {
            if (value >= factor && Math.Abs((value / factor) - Math.Round(value / factor)) < 1e-9)
            {
                return WriteNumber(Math.Round(value / factor)) + name;
            }
        }

        return WriteNumber(value) + (value == 0 ? "" : smallest);
    }
}
