using System.Globalization;
using System.Text;

namespace Gateway.Replicas.Engines;

/// <summary>Reads the samples of a page in the Prometheus text format, one by one and without copying; lines that are none are skipped.</summary>
/// <remarks>Format: prometheus.io, "Exposition formats". Used with <c>foreach</c>.</remarks>
public ref struct PrometheusText
{
    /// <summary>Bytes of a page that are read at most; the rest is not looked at.</summary>
    public const int MaxBytes = 8 << 20;

    private ReadOnlySpan<byte> _rest;

    public PrometheusText(ReadOnlySpan<byte> page)
    {
        if (page.Length > MaxBytes)
        {
            // A last line without its line end may be cut in the middle of a number, so it is not read.
            page = page[..(page[..MaxBytes].LastIndexOf((byte)'\n') + 1)];
        }
        _rest = page;
        Current = default;
    }

    /// <summary>The sample just read; its spans point into the page.</summary>
    public PrometheusSample Current { get; private set; }

    public readonly PrometheusText GetEnumerator() => this;

    public bool MoveNext()
    {
        while (!_rest.IsEmpty)
        {
            var end = _rest.IndexOf((byte)'\n');
            var line = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[(end + 1)..];
            if (PrometheusSample.TryParse(line.Trim(" \t\r"u8), out var sample))
            {
                Current = sample;
                return true;
            }
        }
        return false;
    }
}

/// <summary>One sample: a name, labels and a value, which may be NaN or infinite. Valid as long as its page.</summary>
public readonly ref struct PrometheusSample
{
    private readonly ReadOnlySpan<byte> _labels;

    private PrometheusSample(ReadOnlySpan<byte> name, ReadOnlySpan<byte> labels, double value)
    {
        Name = name;
        _labels = labels;
        Value = value;
    }

    public ReadOnlySpan<byte> Name { get; }

    public double Value { get; }

    /// <summary>The label's value without its escapes; null when the sample has no such label.</summary>
    public string? Label(ReadOnlySpan<byte> name) => TryFindLabel(name, out var escaped) ? Unescape(escaped) : null;

    /// <summary>Whether the label has this value; as in Prometheus, a missing label is an empty one.</summary>
    public bool LabelIs(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (!TryFindLabel(name, out var escaped))
        {
            return value.IsEmpty;
        }
        return escaped.Contains((byte)'\\')
            ? Encoding.UTF8.GetBytes(Unescape(escaped)).AsSpan().SequenceEqual(value)
            : escaped.SequenceEqual(value);
    }

    internal static bool TryParse(ReadOnlySpan<byte> line, out PrometheusSample sample)
    {
        sample = default;
        var nameLength = 0;
        while (nameLength < line.Length && IsNameByte(line[nameLength]))
        {
            nameLength++;
        }
        if (nameLength == 0 || char.IsAsciiDigit((char)line[0]))
        {
            return false;
        }
        var name = line[..nameLength];
        var rest = line[nameLength..].TrimStart(" \t"u8);
        ReadOnlySpan<byte> labels = default;
        if (!rest.IsEmpty && rest[0] == '{')
        {
            labels = rest[1..];
            if (!TrySkipLabels(labels, out var length))
            {
                return false;
            }
            rest = labels[length..];
            labels = labels[..length];
        }
        else if (nameLength < line.Length && !IsBlank(line[nameLength]))
        {
            return false;
        }
        if (!TryParseNumbers(rest.TrimStart(" \t"u8), out var value))
        {
            return false;
        }
        sample = new PrometheusSample(name, labels, value);
        return true;
    }

    /// <summary>A value, then an optional timestamp, then an optional exemplar.</summary>
    private static bool TryParseNumbers(ReadOnlySpan<byte> text, out double value)
    {
        var end = text.IndexOfAny(" \t"u8);
        if (!TryParseNumber(end < 0 ? text : text[..end], out value))
        {
            return false;
        }
        var rest = end < 0 ? default : text[end..].TrimStart(" \t"u8);
        if (rest.IsEmpty || rest[0] == '#')
        {
            return true;
        }
        end = rest.IndexOfAny(" \t"u8);
        return TryParseNumber(end < 0 ? rest : rest[..end], out _) && (end < 0 || rest[end..].TrimStart(" \t"u8)[0] == '#');
    }

    private static bool TryParseNumber(ReadOnlySpan<byte> text, out double value)
    {
        var magnitude = !text.IsEmpty && text[0] is (byte)'+' or (byte)'-' ? text[1..] : text;
        if (Ascii.EqualsIgnoreCase(magnitude, "Inf"u8))
        {
            value = text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }
        return double.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out value);
    }

    /// <summary>Finds the closing brace; false: what stands there is no list of labels.</summary>
    private static bool TrySkipLabels(ReadOnlySpan<byte> text, out int length)
    {
        var rest = text;
        while (TryReadLabel(ref rest, out _, out _))
        {
        }
        length = text.Length - rest.Length + 1;
        return !rest.IsEmpty && rest[0] == '}';
    }

    private bool TryFindLabel(ReadOnlySpan<byte> name, out ReadOnlySpan<byte> escaped)
    {
        var rest = _labels;
        while (TryReadLabel(ref rest, out var found, out escaped))
        {
            if (found.SequenceEqual(name))
            {
                return true;
            }
        }
        escaped = default;
        return false;
    }

    /// <summary>Reads <c>name="value"</c> and the comma behind it; what is left starts with a brace once all are read.</summary>
    private static bool TryReadLabel(scoped ref ReadOnlySpan<byte> text, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> escaped)
    {
        name = escaped = default;
        text = text.TrimStart(" \t"u8);
        var length = 0;
        while (length < text.Length && IsNameByte(text[length]))
        {
            length++;
        }
        if (length == 0)
        {
            return false;
        }
        var rest = text[length..].TrimStart(" \t"u8);
        if (rest.IsEmpty || rest[0] != '=')
        {
            return false;
        }
        rest = rest[1..].TrimStart(" \t"u8);
        if (rest.IsEmpty || rest[0] != '"' || EndOfQuoted(rest) is not { } end)
        {
            return false;
        }
        name = text[..length];
        escaped = rest[1..end];
        rest = rest[(end + 1)..].TrimStart(" \t"u8);
        if (!rest.IsEmpty && rest[0] == ',')
        {
            rest = rest[1..].TrimStart(" \t"u8);
        }
        else if (rest.IsEmpty || rest[0] != '}')
        {
            return false;
        }
        text = rest;
        return true;
    }

    private static int? EndOfQuoted(ReadOnlySpan<byte> text)
    {
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == '\\')
            {
                i++;
            }
            else if (text[i] == '"')
            {
                return i;
            }
        }
        return null;
    }

    private static string Unescape(ReadOnlySpan<byte> escaped)
    {
        var text = Encoding.UTF8.GetString(escaped);
        if (!text.Contains('\\'))
        {
            return text;
        }
        var plain = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
                plain.Append(text[i] == 'n' ? '\n' : text[i]);
            }
            else
            {
                plain.Append(text[i]);
            }
        }
        return plain.ToString();
    }

    private static bool IsBlank(byte value) => value is (byte)' ' or (byte)'\t';

    private static bool IsNameByte(byte value) => char.IsAsciiLetterOrDigit((char)value) || value is (byte)'_' or (byte)':';
}
