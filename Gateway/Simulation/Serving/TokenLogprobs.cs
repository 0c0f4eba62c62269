using System.Text;
using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>The log probabilities of an answer's tokens as vLLM writes them. The numbers are made up: a function of the token and its rank alone, 0 or less.</summary>
internal static class TokenLogprobs
{
    /// <summary>A chat choice's object.</summary>
    /// <param name="json">Where the value goes.</param>
    /// <param name="pieces">UTF-8 of each token.</param>
    /// <param name="top">Alternatives for each.</param>
    public static void WriteChat(Utf8JsonWriter json, ReadOnlySpan<byte[]> pieces, int top)
    {
        json.WriteStartObject();
        json.WriteStartArray("content");
        foreach (var piece in pieces)
        {
            json.WriteStartObject();
            WriteToken(json, piece, rank: 0);
            json.WriteStartArray("top_logprobs");
            for (var rank = 0; rank < top; rank++)
            {
                json.WriteStartObject();
                WriteToken(json, Alternative(piece, rank), rank);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>A text completion choice's object.</summary>
    /// <param name="json">Where the value goes.</param>
    /// <param name="pieces">UTF-8 of each token.</param>
    /// <param name="top">Alternatives for each.</param>
    /// <param name="offset">Characters of the answer before the first of them.</param>
    public static void WriteCompletion(Utf8JsonWriter json, byte[][] pieces, int top, int offset)
    {
        json.WriteStartObject();
        json.WriteStartArray("text_offset");
        foreach (var piece in pieces)
        {
            json.WriteNumberValue(offset);
            offset += piece.Length;
        }

        json.WriteEndArray();
        json.WriteStartArray("token_logprobs");
        Array.ForEach(pieces, piece => json.WriteNumberValue(Of(piece, rank: 0)));
        json.WriteEndArray();
        json.WriteStartArray("tokens");
        Array.ForEach(pieces, piece => json.WriteStringValue(piece));
        json.WriteEndArray();
        json.WriteStartArray("top_logprobs");
        foreach (var piece in pieces)
        {
            json.WriteStartObject();
            for (var rank = 0; rank < Math.Max(1, top); rank++)
            {
                json.WriteNumber(Alternative(piece, rank), Of(piece, rank));
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteToken(Utf8JsonWriter json, ReadOnlySpan<byte> token, int rank)
    {
        json.WriteString("token", token);
        json.WriteNumber("logprob", Of(token, rank));
        json.WriteStartArray("bytes");
        foreach (var letter in token)
        {
            json.WriteNumberValue(letter);
        }

        json.WriteEndArray();
    }

    // The token that was taken is the likeliest.
    private static byte[] Alternative(byte[] piece, int rank) => rank == 0 ? piece : [.. piece, .. Encoding.ASCII.GetBytes($"{rank}")];

    private static double Of(ReadOnlySpan<byte> token, int rank) => -rank - (Hashing.Chain(7, token) % 1_000 / 1_000.0);
}
