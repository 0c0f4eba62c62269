using System.Text;

namespace Gateway.Telemetry;

/// <summary>Turns instrument names into Prometheus names by the rules of the OpenTelemetry compatibility specification.</summary>
public static class PrometheusName
{
    private const string CounterSuffix = "_total";

    /// <summary>The family's name with unit and <c>_total</c>, as the text format 0.0.4 shows it.</summary>
    public static string Of(string instrument, string unit, MetricKind kind)
    {
        var name = OfFamily(instrument, unit, kind);
        return kind == MetricKind.Counter ? name + CounterSuffix : name;
    }

    /// <summary>The family's name as OpenMetrics declares it: a counter's without <c>_total</c>.</summary>
    public static string OfFamily(string instrument, string unit, MetricKind kind)
    {
        var name = Sanitize(instrument);
        if (kind == MetricKind.Counter && name.EndsWith(CounterSuffix, StringComparison.Ordinal))
        {
            name = name[..^CounterSuffix.Length];
        }
        return OfUnit(unit, kind) is { } suffix && !name.EndsWith("_" + suffix, StringComparison.Ordinal) ? $"{name}_{suffix}" : name;
    }

    /// <summary>The unit in Prometheus' words; null: none shows in the name.</summary>
    public static string? OfUnit(string unit, MetricKind kind)
    {
        if (unit.Length == 0 || unit[0] == '{')
        {
            return null;
        }
        var slash = unit.IndexOf('/', StringComparison.Ordinal);
        if (slash > 0)
        {
            return $"{Word(unit[..slash])}_per_{Sanitize(Singular(unit[(slash + 1)..]))}";
        }
        return unit == "1" ? kind == MetricKind.Gauge ? "ratio" : null : Sanitize(Word(unit));
    }

    /// <summary>A legal label name: letters, digits and underscores, not starting with a digit.</summary>
    public static string OfLabel(string key) => Sanitize(key).Replace(':', '_');

    private static string Word(string unit) => unit switch
    {
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "min" => "minutes",
        "h" => "hours",
        "d" => "days",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "%" => "percent",
        _ => unit,
    };

    private static string Singular(string unit) => unit switch
    {
        "s" => "second",
        "min" => "minute",
        "h" => "hour",
        "d" => "day",
        _ => unit.Trim('{', '}'),
    };

    private static string Sanitize(string name)
    {
        var clean = new StringBuilder(name.Length + 1);
        foreach (var letter in name)
        {
            var isLegal = char.IsAsciiLetterOrDigit(letter) || letter is '_' or ':';
            if (clean.Length == 0 && char.IsAsciiDigit(letter))
            {
                clean.Append('_');
            }
            if (isLegal)
            {
                clean.Append(letter);
            }
            else if (clean.Length == 0 || clean[^1] != '_')
            {
                clean.Append('_');
            }
        }
        return clean.ToString();
    }
}
