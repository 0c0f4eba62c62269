using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary><c>POST /v1/messages</c> and <c>/v1/messages/count_tokens</c>, in Anthropic's shapes; a last message of the assistant is continued.</summary>
internal static class MessagesEndpoint
{
    private static readonly string[] MaxNames = ["max_tokens"];

    public static async Task AnswerAsync(EngineCall call)
    {
        if (Prompt(call.Root) is not { } prompt)
        {
            await NoMessages().WriteAsync(call.Http);
            return;
        }

        if (SamplingFields.Read(call.Root, MaxNames, out var error) is not { } fields)
        {
            await error!.WriteAsync(call.Http);
            return;
        }

        if (fields.MaxTokens is null)
        {
            await EngineError.BadRequest("max_tokens: Field required", "max_tokens").WriteAsync(call.Http);
            return;
        }

        var tool = DemandedTool(call.Root);
        var group = new GenerationGroup();
        if (call.AddGeneration(group, prompt, fields, null, 0, tool is null ? AnswerShape.Prose : AnswerShape.Json, out var promptTokens) is { } problem)
        {
            await problem.WriteAsync(call.Http);
            return;
        }

        if (fields.IsStream)
        {
            await AnswerPump.StreamAsync(call, group, new MessagesStream(call, promptTokens, tool));
            return;
        }

        await AnswerPump.CompleteAsync(call, group);
        await WriteWholeAsync(call, group.Generations[0], promptTokens, tool);
    }

    public static Task CountTokensAsync(EngineCall call)
    {
        if (Prompt(call.Root) is not { } prompt)
        {
            return NoMessages().WriteAsync(call.Http);
        }

        return call.WriteJsonAsync(json =>
        {
            json.WriteStartObject();
            json.WriteNumber("input_tokens", SimulatedTokenizer.Count(prompt.Bytes));
            json.WriteEndObject();
        });
    }

    internal static string StopReason(Generation generation, string? tool) =>
        generation.FinishReason == "length" ? "max_tokens" : tool is not null ? "tool_use" : generation.StoppedBy is not null ? "stop_sequence" : "end_turn";

    private static EngineError NoMessages() => EngineError.BadRequest("messages must be a list with at least one message.", "messages");

    private static PromptText? Prompt(JsonElement root)
    {
        if (!root.TryGetProperty("messages", out var messages) || messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            return null;
        }

        var last = messages[messages.GetArrayLength() - 1];
        var continues = last.ValueKind == JsonValueKind.Object && last.TryGetProperty("role", out var role) && role.ValueKind == JsonValueKind.String && role.ValueEquals("assistant");
        root.TryGetProperty("tools", out var tools);
        return PromptText.Chat(messages, continues, tools, root.TryGetProperty("system", out var system) ? PromptText.TextOf(system) : null);
    }

    private static string? DemandedTool(JsonElement root)
    {
        if (!root.TryGetProperty("tools", out var tools) || tools.ValueKind != JsonValueKind.Array || tools.GetArrayLength() == 0
            || !root.TryGetProperty("tool_choice", out var choice) || choice.ValueKind != JsonValueKind.Object || !choice.TryGetProperty("type", out var type))
        {
            return null;
        }

        return PromptText.TextOf(type) switch
        {
            "any" => Name(tools[0]),
            "tool" => Name(choice),
            _ => null,
        };
    }

    private static string Name(JsonElement tool) => tool.ValueKind == JsonValueKind.Object && tool.TryGetProperty("name", out var name) ? PromptText.TextOf(name) : "tool";

    private static Task WriteWholeAsync(EngineCall call, Generation generation, int promptTokens, string? tool) => call.WriteJsonAsync(json =>
    {
        var text = ComposedAnswer.Text(generation.Pieces);
        json.WriteStartObject();
        json.WriteString("id", call.NewId("msg_"));
        json.WriteString("type", "message");
        json.WriteString("role", "assistant");
        json.WriteString("model", call.Model);
        json.WriteStartArray("content");
        json.WriteStartObject();
        json.WriteString("type", tool is null ? "text" : "tool_use");
        if (tool is null)
        {
            json.WriteString("text", text);
        }
        else
        {
            json.WriteString("id", call.NewId("toolu_"));
            json.WriteString("name", tool);
            json.WritePropertyName("input");
            json.WriteRawValue(generation.FinishReason == "stop" ? text : "{}");
        }

        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteString("stop_reason", StopReason(generation, tool));
        json.WriteString("stop_sequence", generation.StoppedBy);
        json.WriteStartObject("usage");
        json.WriteNumber("input_tokens", promptTokens - generation.CachedTokens);
        json.WriteNumber("cache_creation_input_tokens", 0);
        json.WriteNumber("cache_read_input_tokens", generation.CachedTokens);
        json.WriteNumber("output_tokens", generation.Produced);
        json.WriteEndObject();
        json.WriteEndObject();
    });
}
