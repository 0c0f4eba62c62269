using System.Globalization;

namespace Gateway.Replay.Traces.Generators;

/// <summary>The words of a generator: <c>name:key=value,key=value</c>; commas inside brackets belong to the value. Remembers what was asked for, so that the rest can be refused.</summary>
internal sealed class WorkloadSpec
{
    private readonly Dictionary<string, string> _values = [];
    private readonly List<string> _known = [];

    private WorkloadSpec(string name) => Name = name;

    public string Name { get; }

    /// <exception cref="TraceException">Not of that form, or a key twice.</exception>
    public static WorkloadSpec Parse(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var spec = new WorkloadSpec(colon < 0 ? text : text[..colon]);
        foreach (var part in colon < 0 ? [] : Parts(text[(colon + 1)..]))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals < 1 || equals == part.Length - 1)
            {
                throw new TraceException($"{text}: \"{part}\" is no parameter. Write {spec.Name}:key=value,key=value.");
            }

            if (!spec._values.TryAdd(part[..equals].Trim(), part[(equals + 1)..].Trim()))
            {
                throw new TraceException($"{text}: {part[..equals].Trim()} is there twice.");
            }
        }

        return spec;
    }

    public double Number(string key, double usual, double least, double most)
    {
        if (Find(key) is not { } text)
        {
            return usual;
        }

        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new TraceException(string.Create(CultureInfo.InvariantCulture, $"{Name}: {key}={text} is not allowed. Allowed: a number from {least} to {most}."));
    }

    public int Count(string key, int usual, int least, int most)
    {
        if (Find(key) is not { } text)
        {
            return usual;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most
            ? number
            : throw new TraceException(string.Create(CultureInfo.InvariantCulture, $"{Name}: {key}={text} is not allowed. Allowed: a whole number from {least} to {most}."));
    }

    public string Text(string key, string usual) => Find(key) ?? usual;

    public TokenLengths Lengths(string key, string usual) => TokenLengths.Parse(Find(key) ?? usual, $"{Name}: {key}");

    /// <summary>A span with its unit, such as 5s or 500ms, at most an hour.</summary>
    public TimeSpan Span(string key, TimeSpan usual)
    {
        if (Find(key) is not { } text)
        {
            return usual;
        }

        var unit = text.EndsWith("ms", StringComparison.Ordinal) ? "ms" : text.EndsWith('s') ? "s" : "";
        var milliseconds = unit switch { "ms" => 1.0, "s" => 1000, _ => 0 };
        return milliseconds > 0 && double.TryParse(text[..^unit.Length], NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number >= 0 && number * milliseconds <= 3_600_000
            ? TimeSpan.FromMilliseconds(number * milliseconds)
            : throw new TraceException($"{Name}: {key}={text} is not allowed. Allowed: a span such as 5s or 500ms, up to 3600s.");
    }

    /// <summary>Call when every parameter has been asked for.</summary>
    /// <exception cref="TraceException">One is left over; lists those there are.</exception>
    public void RefuseUnknown()
    {
        foreach (var key in _values.Keys)
        {
            if (!_known.Contains(key))
            {
                throw new TraceException($"{Name}: no parameter {key}. Parameters: {string.Join(", ", _known)}.");
            }
        }
    }

    private string? Find(string key)
    {
        _known.Add(key);
        return _values.GetValueOrDefault(key);
    }

    private static IEnumerable<string> Parts(string text)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch { '(' => 1, ')' => -1, _ => 0 };
            if (text[i] == ',' && depth == 0)
            {
                yield return text[start..i];
                start = i + 1;
            }
        }

        yield return text[start..];
    }
}
