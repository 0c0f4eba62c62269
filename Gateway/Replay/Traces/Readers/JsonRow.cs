using System.Globalization;
using System.Text;
using System.Text.Json;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Readers;

/// <summary>One JSON line of a trace, read by field names. Of several names the first that is there counts; null counts as absent.</summary>
internal readonly struct JsonRow(JsonElement row, TraceSpot spot)
{
    /// <summary>Largest number of tokens that a row may have.</summary>
    public const int MostTokens = 100_000_000;

    /// <summary>Longest name of a client, session or model.</summary>
    private const int MostNameLength = 256;

    public TraceSpot Spot => spot;

    public static JsonDocument Parse(ReadOnlyMemory<byte> line, TraceSpot spot)
    {
        JsonDocument document;
        try
        {
            document = JsonDocument.Parse(line);
        }
        catch (JsonException problem)
        {
            throw spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"not valid JSON at byte {problem.BytePositionInLine}. Each line is one complete JSON object."));
        }

        if (document.RootElement.ValueKind != JsonValueKind.Object)
        {
            document.Dispose();
            throw spot.Wrong("not a JSON object. Each line is one complete JSON object.");
        }

        return document;
    }

    /// <summary>A member; null: it is not there. Names are unread until they are compared, so half a surrogate pair in one of them shows only here.</summary>
    /// <exception cref="TraceException">A name is not valid UTF-8.</exception>
    public static JsonElement? Member(JsonElement owner, string name, TraceSpot spot)
    {
        try
        {
            return owner.TryGetProperty(name, out var value) ? value : null;
        }
        catch (InvalidOperationException)
        {
            throw spot.Wrong("a name is not valid UTF-8.");
        }
    }

    public JsonElement? Find(params ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (Member(row, name, spot) is { ValueKind: not JsonValueKind.Null } value)
            {
                return value;
            }
        }

        return null;
    }

    /// <summary>A whole number of tokens, or null where none of the names is there.</summary>
    public int? Count(int least, params ReadOnlySpan<string> names) =>
        Find(names) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var count) && count >= least && count <= MostTokens ? count
        : throw spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"{Named(names)} is {Shown(value)}. Allowed: a whole number from {least} to {MostTokens}."));

    public int RequiredCount(int least, params ReadOnlySpan<string> names) => Count(least, names) ?? throw Missing(names);

    /// <summary>A number of at least 0, or null where none of the names is there.</summary>
    public double? Number(params ReadOnlySpan<string> names) =>
        Find(names) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out var number) && double.IsFinite(number) && number >= 0 ? number
        : throw spot.Wrong($"{Named(names)} is {Shown(value)}. Allowed: a number of at least 0.");

    public double RequiredNumber(params ReadOnlySpan<string> names) => Number(names) ?? throw Missing(names);

    /// <summary>A text, or a number as text; null where none of the names is there.</summary>
    public string? Text(params ReadOnlySpan<string> names) => Find(names) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => StringOf(value, spot),
        { ValueKind: JsonValueKind.Number } value => value.GetRawText(),
        { } value => throw spot.Wrong($"{Named(names)} is {Shown(value)}. Allowed: a text."),
    };

    /// <summary>The name of a client, session or model.</summary>
    public string? Label(params ReadOnlySpan<string> names)
    {
        var label = Text(names);
        return label is null or "" ? null
            : label.Length <= MostNameLength ? label
            : throw spot.Wrong($"{Named(names)} is longer than {MostNameLength} characters.");
    }

    /// <summary>Numbers that name blocks; words are hashed. Empty where absent.</summary>
    public ulong[] Ids(string name)
    {
        if (Find(name) is not { } array)
        {
            return [];
        }

        if (array.ValueKind != JsonValueKind.Array)
        {
            throw spot.Wrong($"{name} is {Shown(array)}. Allowed: an array of whole numbers.");
        }

        var ids = new ulong[array.GetArrayLength()];
        var next = 0;
        foreach (var item in array.EnumerateArray())
        {
            ids[next++] = IdOf(item) ?? throw spot.Wrong($"{name}[{next - 1}] is {Shown(item)}. Allowed: whole numbers.");
        }

        return ids;
    }

    /// <summary>The text of a JSON string; parsing leaves it unread, so broken UTF-8 or half a surrogate pair shows only here.</summary>
    public static string StringOf(JsonElement value, TraceSpot spot)
    {
        try
        {
            return value.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw spot.Wrong("a text is not valid UTF-8.");
        }
    }

    public TraceException Missing(params ReadOnlySpan<string> names) => spot.Wrong($"{Named(names)} is missing. Each row needs it{(names.Length > 1 ? " (any of " + string.Join(", ", names.ToArray()) + ")" : "")}.");

    private ulong? IdOf(JsonElement item) => item.ValueKind switch
    {
        JsonValueKind.Number when item.TryGetUInt64(out var id) => id,
        JsonValueKind.Number when item.TryGetInt64(out var id) => (ulong)id,
        JsonValueKind.String => Hashing.Chain(0, Encoding.UTF8.GetBytes(StringOf(item, spot))),
        _ => null,
    };

    private string Named(ReadOnlySpan<string> names)
    {
        foreach (var name in names)
        {
            if (row.TryGetProperty(name, out _))
            {
                return name;
            }
        }

        return names[0];
    }

    /// <summary>Numbers as they stand; of anything else only the kind, because it could be somebody's text.</summary>
    private static string Shown(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Number)
        {
            return value.ValueKind switch
            {
                JsonValueKind.String => "a text",
                JsonValueKind.Array => "an array",
                JsonValueKind.Object => "an object",
                _ => "true or false",
            };
        }

        var raw = value.GetRawText();
        return raw.Length <= 32 ? raw : raw[..32] + "...";
    }
}
