using System.Text.Encodings.Web;
using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>Small JSON texts as bytes, with no more escapes than JSON asks for.</summary>
internal static class JsonBytes
{
    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    public static byte[] Of(Action<Utf8JsonWriter> write)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Options))
        {
            write(json);
        }

        return buffer.ToArray();
    }

    /// <summary>A JSON string, quotes included, or <c>null</c>.</summary>
    public static string TextOrNull(string? text) => text is null ? "null" : Text(text);

    /// <summary>A JSON string, quotes included.</summary>
    public static string Text(string text) => "\"" + JavaScriptEncoder.UnsafeRelaxedJsonEscaping.Encode(text) + "\"";
}
