using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary>The response object of one answer, at its beginning and at its end.</summary>
internal sealed class ResponseJson(EngineCall call, GenerationGroup group, int promptTokens, string? tool)
{
    public string Id { get; } = call.NewId("resp_");

    public string ItemId { get; } = call.NewId(tool is null ? "msg_" : "fc_");

    public string CallId { get; } = call.NewId("call_");

    public string? Tool => tool;

    public Generation Generation => group.Generations[0];

    public bool IsCut => Generation.FinishReason == "length";

    public string Text => ComposedAnswer.Text(Generation.Pieces);

    public void WriteInProgress(Utf8JsonWriter json) => Write(json, "in_progress", isFinal: false);

    public void WriteFinal(Utf8JsonWriter json) => Write(json, IsCut ? "incomplete" : "completed", isFinal: true);

    /// <summary>The one output item: a message, or a function call where a tool was demanded.</summary>
    public void WriteItem(Utf8JsonWriter json, bool isFinal)
    {
        json.WriteStartObject();
        json.WriteString("id", ItemId);
        json.WriteString("type", tool is null ? "message" : "function_call");
        json.WriteString("status", !isFinal ? "in_progress" : IsCut ? "incomplete" : "completed");
        if (tool is not null)
        {
            json.WriteString("call_id", CallId);
            json.WriteString("name", tool);
            json.WriteString("arguments", isFinal ? Text : string.Empty);
        }
        else
        {
            json.WriteString("role", "assistant");
            json.WriteStartArray("content");
            if (isFinal)
            {
                WritePart(json, Text);
            }

            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    public static void WritePart(Utf8JsonWriter json, string text)
    {
        json.WriteStartObject();
        json.WriteString("type", "output_text");
        json.WriteString("text", text);
        json.WriteStartArray("annotations");
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private void Write(Utf8JsonWriter json, string status, bool isFinal)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        json.WriteString("object", "response");
        json.WriteNumber("created_at", call.Created);
        json.WriteString("status", status);
        json.WriteString("model", call.Model);
        json.WriteNull("error");
        if (isFinal && IsCut)
        {
            json.WriteStartObject("incomplete_details");
            json.WriteString("reason", "max_output_tokens");
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details");
        }

        json.WriteStartArray("output");
        if (isFinal)
        {
            WriteItem(json, isFinal: true);
        }

        json.WriteEndArray();
        json.WriteBoolean("parallel_tool_calls", true);
        json.WriteString("tool_choice", tool is null ? "auto" : "required");
        json.WriteStartArray("tools");
        json.WriteEndArray();
        WriteUsage(json, isFinal);
        json.WriteEndObject();
    }

    private void WriteUsage(Utf8JsonWriter json, bool isFinal)
    {
        if (!isFinal)
        {
            json.WriteNull("usage");
            return;
        }

        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", promptTokens);
        json.WriteStartObject("input_tokens_details");
        json.WriteNumber("cached_tokens", Generation.CachedTokens);
        json.WriteEndObject();
        json.WriteNumber("output_tokens", Generation.Pieces.Length);
        json.WriteStartObject("output_tokens_details");
        json.WriteNumber("reasoning_tokens", 0);
        json.WriteEndObject();
        json.WriteNumber("total_tokens", promptTokens + Generation.Pieces.Length);
        json.WriteEndObject();
    }
}
