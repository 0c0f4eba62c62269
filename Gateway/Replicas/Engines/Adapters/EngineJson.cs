using System.Text.Json;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Careful reading of engines' JSON: what is missing or of another type is null.</summary>
internal static class EngineJson
{
    private static readonly JsonDocumentOptions Limits = new() { MaxDepth = 32 };

    /// <summary>The document of a successful answer; null: there is none.</summary>
    public static JsonDocument? TryParse(EngineAnswer answer)
    {
        if (!answer.IsSuccess)
        {
            return null;
        }
        try
        {
            return JsonDocument.Parse(answer.Body, Limits);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    public static JsonElement? Member(this JsonElement element, string name)
    {
        try
        {
            return element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var member) && member.ValueKind != JsonValueKind.Null ? member : null;
        }
        catch (InvalidOperationException)
        {
            // Names and texts stay unread until they are asked for: half a surrogate pair or broken UTF-8 shows only here.
            return null;
        }
    }

    public static double? Number(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Number } member && member.TryGetDouble(out var value) ? value : null;

    public static string? Text(this JsonElement element, string name)
    {
        try
        {
            return element.Member(name) is { ValueKind: JsonValueKind.String } member ? member.GetString() : null;
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    public static IEnumerable<JsonElement> Items(this JsonElement element, string name) =>
        element.Member(name) is { ValueKind: JsonValueKind.Array } member ? member.EnumerateArray() : [];

    /// <summary>The text member of the object at a path of the engine; null: none there.</summary>
    public static async Task<string?> GetTextAsync(this EngineClient client, string path, string name, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(path, cancellationToken);
        using var json = TryParse(answer);
        return json?.RootElement.Text(name);
    }
}
