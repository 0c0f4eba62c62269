using System.Text.Json;

namespace Gateway.Simulation.Serving.Endpoints;

/// <summary><c>POST /tokenize</c> and <c>/detokenize</c>. A token's id is its bytes as a number, first byte lowest, so no vocabulary is needed to turn it back.</summary>
internal static class TokenEndpoints
{
    public static Task TokenizeAsync(EngineCall call)
    {
        PromptText? prompt = null;
        if (call.Root.TryGetProperty("messages", out var messages) && messages.ValueKind == JsonValueKind.Array)
        {
            prompt = PromptText.Chat(messages, SamplingFields.IsTrue(call.Root, "continue_final_message"));
        }
        else if (call.Root.TryGetProperty("prompt", out var text) && text.ValueKind == JsonValueKind.String)
        {
            prompt = PromptText.Bare(PromptText.StringOf(text));
        }

        return prompt is null
            ? EngineError.BadRequest("prompt must be a string, or messages a list.", "prompt").WriteAsync(call.Http)
            : call.WriteJsonAsync(json =>
            {
                json.WriteStartObject();
                json.WriteNumber("count", SimulatedTokenizer.Count(prompt.Bytes));
                json.WriteNumber("max_model_len", call.Server.Profile.MaxModelTokens);
                json.WriteStartArray("tokens");
                var bytes = prompt.Bytes;
                for (var start = 0; start < bytes.Length;)
                {
                    var length = SimulatedTokenizer.TokenLength(bytes, start);
                    json.WriteNumberValue(PromptText.TokenId(bytes.Slice(start, length)));
                    start += length;
                }

                json.WriteEndArray();
                json.WriteNull("token_strs");
                json.WriteEndObject();
            });
    }

    public static Task DetokenizeAsync(EngineCall call) =>
        call.Root.TryGetProperty("tokens", out var tokens) && PromptInput.TokenIds(tokens) is { } prompt
            ? call.WriteJsonAsync(json =>
            {
                json.WriteStartObject();
                json.WriteString("prompt", prompt.ToText());
                json.WriteEndObject();
            })
            : EngineError.BadRequest("tokens must be a list of token ids.", "tokens").WriteAsync(call.Http);
}
