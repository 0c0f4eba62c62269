using System.Buffers;
using System.Text.Json;
using Gateway.Replay.Traces.Readers;

namespace Gateway.Replay.Estimates;

/// <summary>Writes the chat completion that an application would have sent for a row.</summary>
internal static class ChatBody
{
    private static readonly JsonWriterOptions Unchecked = new() { SkipValidation = true };

    // What a row may tell of its request beside the messages; copied as it stands.
    private static readonly string[] Settings =
    [
        "max_tokens", "max_completion_tokens", "min_tokens", "temperature", "top_p", "n", "stop", "stream", "tools", "tool_choice", "response_format",
        "reasoning_effort", "nvext", "user",
    ];

    /// <summary>Marks of the label inside recorded conversations; no application sends them.</summary>
    private static readonly string[] Labels = ["request_input_tokens", "output_tokens"];

    /// <summary>One user message.</summary>
    public static ReadOnlyMemory<byte> OfText(JsonRow row, string model, string text) => Written(row, model, json =>
    {
        json.WriteStartArray("messages");
        json.WriteStartObject();
        json.WriteString("role", "user");
        json.WriteString("content", text);
        json.WriteEndObject();
        json.WriteEndArray();
    });

    /// <summary>The row's own messages.</summary>
    public static ReadOnlyMemory<byte> OfMessages(JsonRow row, string model, JsonElement messages) => Written(row, model, json =>
    {
        json.WritePropertyName("messages");
        json.WriteRawValue(messages.GetRawText(), skipInputValidation: true);
    });

    /// <summary>The first messages of a recorded conversation, without its labels.</summary>
    public static ReadOnlyMemory<byte> OfTurn(JsonRow row, string model, JsonElement messages, int count) => Written(row, model, json =>
    {
        json.WriteStartArray("messages");
        foreach (var message in messages.EnumerateArray().Take(count))
        {
            json.WriteStartObject();
            foreach (var member in message.EnumerateObject().Where(member => Array.TrueForAll(Labels, label => !member.NameEquals(label))))
            {
                json.WritePropertyName(member.Name);
                json.WriteRawValue(member.Value.GetRawText(), skipInputValidation: true);
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    });

    private static ReadOnlyMemory<byte> Written(JsonRow row, string model, Action<Utf8JsonWriter> messages)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using var json = new Utf8JsonWriter(buffer, Unchecked);
        json.WriteStartObject();
        json.WriteString("model", model);
        foreach (var name in Settings)
        {
            if (row.Find(name) is { } value)
            {
                json.WritePropertyName(name);
                json.WriteRawValue(value.GetRawText(), skipInputValidation: true);
            }
        }
        messages(json);
        json.WriteEndObject();
        json.Flush();
        return buffer.WrittenMemory;
    }
}
