using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Forwarding.Answers;

/// <summary>Finds the id of a response in a whole answer or in an event of the Responses API.</summary>
public static class StoredResponseId
{
    private const int MaxLength = 256;

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
