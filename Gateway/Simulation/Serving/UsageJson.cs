using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace Gateway.Simulation.Serving;

/// <summary>Token counts of one answer, and how the APIs write them.</summary>
/// <param name="PromptTokens">Of the prompt.</param>
/// <param name="OutputTokens">Of the answer.</param>
/// <param name="CachedTokens">Of the prompt those that were cached; null: the engine does not say.</param>
internal readonly record struct Usage(int PromptTokens, int OutputTokens, int? CachedTokens)
{
    /// <summary>As a property named <c>usage</c> of the OpenAI family.</summary>
    public void WriteTo(Utf8JsonWriter json)
    {
        json.WriteStartObject("usage");
        json.WriteNumber("prompt_tokens", PromptTokens);
        json.WriteNumber("total_tokens", PromptTokens + OutputTokens);
        json.WriteNumber("completion_tokens", OutputTokens);
        if (CachedTokens is { } cached)
        {
            json.WriteStartObject("prompt_tokens_details");
            json.WriteNumber("cached_tokens", cached);
            json.WriteEndObject();
        }
        json.WriteEndObject();
    }

    /// <summary>The same as bytes, without a JSON writer, for the frames of a stream.</summary>
    public void WriteTo(IBufferWriter<byte> writer)
    {
        writer.Write("\"usage\":{\"prompt_tokens\":"u8);
        WriteNumber(writer, PromptTokens);
        writer.Write(",\"total_tokens\":"u8);
        WriteNumber(writer, PromptTokens + OutputTokens);
        writer.Write(",\"completion_tokens\":"u8);
        WriteNumber(writer, OutputTokens);
        if (CachedTokens is { } cached)
        {
            writer.Write(",\"prompt_tokens_details\":{\"cached_tokens\":"u8);
            WriteNumber(writer, cached);
            writer.Write("}"u8);
        }
        writer.Write("}"u8);
    }

    public static void WriteNumber(IBufferWriter<byte> writer, int number)
    {
        Utf8Formatter.TryFormat(number, writer.GetSpan(12), out var written);
        writer.Advance(written);
    }
}
