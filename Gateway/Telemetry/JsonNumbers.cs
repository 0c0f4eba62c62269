using System.Text.Json;

namespace Gateway.Telemetry;

/// <summary>What may be unknown, in the JSON of the status and its page.</summary>
internal static class JsonNumbers
{
    /// <summary>Writes a rounded number; null where it is unknown or not finite.</summary>
    public static void WriteNumberOrNull(this Utf8JsonWriter json, string name, double? value, int digits = 0)
    {
        if (value is { } number && double.IsFinite(number))
        {
            json.WriteNumber(name, Math.Round(number, digits));
        }
        else
        {
            json.WriteNull(name);
        }
    }

    /// <summary>Writes yes or no; null where it is unknown.</summary>
    public static void WriteBooleanOrNull(this Utf8JsonWriter json, string name, bool? value)
    {
        if (value is { } known)
        {
            json.WriteBoolean(name, known);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
