using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Configuration;

/// <summary>How the values of an enum are written in the file: camelCase, but for names that the field spells its own way.</summary>
public static class EnumWords
{
    private static readonly Dictionary<Enum, string> Special = new()
    {
        [PreemptMode.BeforeFirstByte] = "before_first_byte",
    };

    /// <summary>The word for one value.</summary>
    public static string Of(Enum value)
    {
        if (value is EngineKind engine)
        {
            return engine.Word();
        }
        var name = value.ToString();
        return Special.TryGetValue(value, out var word) ? word : char.ToLowerInvariant(name[0]) + name[1..];
    }

    /// <summary>Words and values of a type, in the order of their declaration.</summary>
    internal static IReadOnlyList<KeyValuePair<string, Enum>> All(Type type) =>
        [.. Enum.GetValues(type).Cast<Enum>().Select(value => KeyValuePair.Create(Of(value), value))];
}
