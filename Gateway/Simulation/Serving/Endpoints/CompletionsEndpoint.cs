using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary><c>POST /v1/completions</c>: a prompt as text or token ids, or a list of either; streamed or whole.</summary>
internal static class CompletionsEndpoint
{
    private const int DefaultMaxTokens = 16;

    private static readonly string[] MaxNames = ["max_tokens"];

    public static async Task AnswerAsync(EngineCall call)
    {
        if (PromptInput.Read(call.Root, "prompt") is not { Count: > 0 } prompts)
        {
            await EngineError.BadRequest("prompt must be a string, a list of strings, a list of token ids or a list of such lists.", "prompt").WriteAsync(call.Http);
            return;
        }

        if (SamplingFields.Read(call.Root, MaxNames, out var error) is not { } fields)
        {
            await error!.WriteAsync(call.Http);
            return;
        }

        var group = new GenerationGroup { TellsCachedTokens = call.Server.Options.TellsCachedTokens };
        var promptTokens = 0;
        foreach (var prompt in prompts)
        {
            var tokens = 0;
            for (var choice = 0; choice < fields.Choices; choice++)
            {
                if (call.AddGeneration(group, prompt, fields, DefaultMaxTokens, choice, AnswerShape.Prose, out tokens) is { } problem)
                {
                    await problem.WriteAsync(call.Http);
                    return;
                }
            }

            promptTokens += tokens;
        }

        string[] echoes = SamplingFields.IsTrue(call.Root, "echo") ? [.. prompts.SelectMany(prompt => Enumerable.Repeat(prompt.ToText(), fields.Choices))] : [];
        if (fields.IsStream)
        {
            await AnswerPump.StreamAsync(call, group, new CompletionStream(call, group, fields, promptTokens, echoes));
            return;
        }

        await AnswerPump.CompleteAsync(call, group);
        await WriteWholeAsync(call, group, promptTokens, echoes, fields.Logprobs);
    }

    private static Task WriteWholeAsync(EngineCall call, GenerationGroup group, int promptTokens, string[] echoes, int? logprobs) => call.WriteJsonAsync(json =>
    {
        json.WriteStartObject();
        json.WriteString("id", call.NewId("cmpl-"));
        json.WriteString("object", "text_completion");
        json.WriteNumber("created", call.Created);
        json.WriteString("model", call.Model);
        json.WriteStartArray("choices");
        for (var index = 0; index < group.Generations.Count; index++)
        {
            var generation = group.Generations[index];
            json.WriteStartObject();
            json.WriteNumber("index", index);
            json.WriteString("text", (echoes.Length > 0 ? echoes[index] : string.Empty) + ComposedAnswer.Text(generation.Pieces));
            json.WritePropertyName("logprobs");
            if (logprobs is { } top)
            {
                TokenLogprobs.WriteCompletion(json, generation.Pieces, top, offset: echoes.Length > 0 ? echoes[index].Length : 0);
            }
            else
            {
                json.WriteNullValue();
            }

            json.WriteString("finish_reason", generation.FinishReason);
            json.WriteString("stop_reason", generation.StoppedBy);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        new Usage(promptTokens, group.Produced, group.ToldCachedTokens).WriteTo(json);
        json.WriteEndObject();
    });
}

/// <summary>Prompts of the routes that take text or token ids.</summary>
internal static class PromptInput
{
    /// <summary>Reads a string, a list of strings, a list of token ids, or a list of such lists; null for anything else.</summary>
    public static List<PromptText>? Read(JsonElement root, string name)
    {
        if (!root.TryGetProperty(name, out var input))
        {
            return null;
        }

        if (input.ValueKind == JsonValueKind.String)
        {
            return [PromptText.Bare(PromptText.StringOf(input))];
        }

        if (input.ValueKind != JsonValueKind.Array || input.GetArrayLength() == 0)
        {
            return null;
        }

        if (input[0].ValueKind == JsonValueKind.Number)
        {
            return TokenIds(input) is { } one ? [one] : null;
        }

        var prompts = new List<PromptText>();
        foreach (var item in input.EnumerateArray())
        {
            var prompt = item.ValueKind == JsonValueKind.String ? PromptText.Bare(PromptText.StringOf(item)) : TokenIds(item);
            if (prompt is null)
            {
                return null;
            }

            prompts.Add(prompt);
        }

        return prompts;
    }

    /// <summary>The text of a list of token ids; null when it is not one.</summary>
    public static PromptText? TokenIds(JsonElement ids)
    {
        if (ids.ValueKind != JsonValueKind.Array)
        {
            return null;
        }

        var prompt = new PromptText();
        foreach (var id in ids.EnumerateArray())
        {
            if (id.ValueKind != JsonValueKind.Number || !id.TryGetInt64(out var number) || number < 0)
            {
                return null;
            }

            prompt.AppendToken(number);
        }

        return prompt;
    }
}
