using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary><c>POST /v1/chat/completions</c>: streamed or whole, several choices, tool calls where a tool is demanded, JSON where a format is.</summary>
internal static class ChatEndpoint
{
    private static readonly string[] MaxNames = ["max_completion_tokens", "max_tokens"];

    public static async Task AnswerAsync(EngineCall call)
    {
        var root = call.Root;
        if (!root.TryGetProperty("messages", out var messages) || messages.ValueKind != JsonValueKind.Array || messages.GetArrayLength() == 0)
        {
            await EngineError.BadRequest("messages must be a list with at least one message.", "messages").WriteAsync(call.Http);
            return;
        }

        var continues = SamplingFields.IsTrue(root, "continue_final_message");
        var addsPrompt = !root.TryGetProperty("add_generation_prompt", out var adds) || adds.ValueKind != JsonValueKind.False;
        if (continues && addsPrompt)
        {
            await EngineError.BadRequest("Cannot set both `continue_final_message` and `add_generation_prompt` to True.").WriteAsync(call.Http);
            return;
        }

        if (SamplingFields.Read(root, MaxNames, out var error) is not { } fields)
        {
            await error!.WriteAsync(call.Http);
            return;
        }

        var tool = DemandedTool(root, out var tools);
        var shape = tool is not null || WantsJson(root) ? AnswerShape.Json : AnswerShape.Prose;
        var prompt = PromptText.Chat(messages, !addsPrompt, tools);
        var group = new GenerationGroup { TellsCachedTokens = call.Server.Options.TellsCachedTokens };
        var promptTokens = 0;
        for (var choice = 0; choice < fields.Choices; choice++)
        {
            if (call.AddGeneration(group, prompt, fields, null, choice, shape, out promptTokens) is { } problem)
            {
                await problem.WriteAsync(call.Http);
                return;
            }
        }

        if (fields.IsStream)
        {
            await AnswerPump.StreamAsync(call, group, new ChatStream(call, fields, promptTokens, tool));
            return;
        }

        await AnswerPump.CompleteAsync(call, group);
        await WriteWholeAsync(call, group, promptTokens, tool, fields.Logprobs);
    }

    /// <summary>The name of the tool that the answer has to call; null when the model is free not to.</summary>
    private static string? DemandedTool(JsonElement root, out JsonElement tools)
    {
        if (!root.TryGetProperty("tools", out tools) || tools.ValueKind != JsonValueKind.Array || tools.GetArrayLength() == 0
            || !root.TryGetProperty("tool_choice", out var choice))
        {
            return null;
        }

        return choice.ValueKind switch
        {
            JsonValueKind.String when PromptText.StringOf(choice) == "required" => FunctionName(tools[0]),
            JsonValueKind.Object => FunctionName(choice),
            _ => null,
        };
    }

    private static string FunctionName(JsonElement tool) =>
        tool.ValueKind == JsonValueKind.Object && tool.TryGetProperty("function", out var function) && function.ValueKind == JsonValueKind.Object
        && function.TryGetProperty("name", out var name) && name.ValueKind == JsonValueKind.String
            ? PromptText.StringOf(name)
            : "tool";

    private static bool WantsJson(JsonElement root) =>
        root.TryGetProperty("response_format", out var format) && format.ValueKind == JsonValueKind.Object
        && format.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String && PromptText.StringOf(type) is "json_object" or "json_schema";

    private static Task WriteWholeAsync(EngineCall call, GenerationGroup group, int promptTokens, string? tool, int? logprobs) => call.WriteJsonAsync(json =>
    {
        json.WriteStartObject();
        json.WriteString("id", call.NewId("chatcmpl-"));
        json.WriteString("object", "chat.completion");
        json.WriteNumber("created", call.Created);
        json.WriteString("model", call.Model);
        json.WriteStartArray("choices");
        for (var index = 0; index < group.Generations.Count; index++)
        {
            WriteChoice(json, call, group.Generations[index], index, tool, logprobs);
        }

        json.WriteEndArray();
        new Usage(promptTokens, group.Produced, group.ToldCachedTokens).WriteTo(json);
        json.WriteEndObject();
    });

    private static void WriteChoice(Utf8JsonWriter json, EngineCall call, Generation generation, int index, string? tool, int? logprobs)
    {
        var text = ComposedAnswer.Text(generation.Pieces);
        json.WriteStartObject();
        json.WriteNumber("index", index);
        json.WriteStartObject("message");
        json.WriteString("role", "assistant");
        json.WriteString("content", tool is null ? text : null);
        json.WriteNull("refusal");
        json.WriteStartArray("tool_calls");
        if (tool is not null)
        {
            json.WriteStartObject();
            json.WriteString("id", call.NewId("call_"));
            json.WriteString("type", "function");
            json.WriteStartObject("function");
            json.WriteString("name", tool);
            json.WriteString("arguments", text);
            json.WriteEndObject();
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WritePropertyName("logprobs");
        if (logprobs is { } top)
        {
            TokenLogprobs.WriteChat(json, generation.Pieces, top);
        }
        else
        {
            json.WriteNullValue();
        }

        json.WriteString("finish_reason", tool is not null && generation.FinishReason == "stop" ? "tool_calls" : generation.FinishReason);
        json.WriteString("stop_reason", generation.StoppedBy);
        json.WriteEndObject();
    }
}
