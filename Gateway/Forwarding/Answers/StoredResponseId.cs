using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>Finds the id of a response in a whole answer or in an event of the Responses API.</summary>
public static class StoredResponseId
{
    private const int MaxLength = 256;

    /// <summary>Whether it is a name and nothing else. It becomes a part of the path at the engine, where slashes and dots would lead to another route.</summary>
    public static bool IsName(string id) =>
        id.Length is > 0 and <= MaxLength && id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':' or '=') && id.Any(static c => c != '.');

    /// <summary>The top-level <c>id</c>, or <c>response.id</c>; null when there is none.</summary>
    public static string? Find(ReadOnlySpan<byte> json)
    {
        // A comment or a heartbeat: the reader would throw for it, again and again in a long silence.
        if (json.IsEmpty)
        {
            return null;
        }
        var reader = new Utf8JsonReader(json);
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.PropertyName)
                {
                    continue;
                }
                if (reader.Is("id"u8) && reader.CurrentDepth <= 2)
                {
                    reader.Read();
                    return reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= MaxLength ? reader.GetString() : null;
                }
                var isEnvelope = reader.CurrentDepth == 1 && reader.Is("response"u8);
                reader.Read();
                if (!isEnvelope)
                {
                    reader.Skip();
                }
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            return null;
        }
        return null;
    }
}
