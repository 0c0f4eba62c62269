using System.Text.Json;

namespace Gateway.Tests.Fakes;

/// <summary>A provider whose every good answer to a streamed chat is the same sixty words, or what is left of them where the last message is their beginning.</summary>
internal static class SixtyWords
{
    public const int Count = 60;
    public const int PromptTokens = 11;

    public static readonly string[] Words = [.. Enumerable.Range(0, Count).Select(i => (i == 0 ? "" : " ") + Word(i))];

    /// <summary>All of it.</summary>
    public static readonly string Whole = string.Concat(Words);

    /// <summary>Answers well.</summary>
    public static Task AnswerAsync(ScriptedCall call) => AnswerAsync(call, Count);

    /// <summary>Answers, and stops before the end: without a reason to end, and without usage.</summary>
    /// <param name="call">The request.</param>
    /// <param name="words">Words of the whole answer after which nothing more comes.</param>
    /// <param name="before">Runs before each word of the answer, by its place.</param>
    /// <param name="omitsDone">Whether the sentinel is left out.</param>
    public static async Task AnswerAsync(ScriptedCall call, int words, Func<int, Task>? before = null, bool omitsDone = false)
    {
        await call.ReadBodyAsync();
        var (model, given) = Read(call);
        await call.BeginStreamAsync();
        await call.ChunkAsync(Event(model, "{\"role\":\"assistant\",\"content\":\"\"}", "null"));
        for (var i = given; i < words; i++)
        {
            await (before?.Invoke(i) ?? Task.CompletedTask);
            await call.ChunkAsync(Event(model, $"{{\"content\":{JsonSerializer.Serialize(Words[i])}}}", "null"));
        }
        if (words < Count)
        {
            return;
        }
        await call.ChunkAsync(Event(model, "{}", "\"stop\""));
        await call.ChunkAsync($"data: {{\"id\":\"chat-{model}\",\"created\":7,\"model\":\"{model}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{PromptTokens + given},\"completion_tokens\":{Count - given},\"total_tokens\":{PromptTokens + Count}}}}}\n\n");
        if (!omitsDone)
        {
            await call.ChunkAsync("data: [DONE]\n\n");
        }
        await call.EndStreamAsync();
    }

    /// <summary>Refuses where the last message is the assistant's, else answers.</summary>
    public static async Task RefusePrefillAsync(ScriptedCall call, Func<ScriptedCall, Task> answer)
    {
        await call.ReadBodyAsync();
        if (Read(call).Given > 0)
        {
            await call.JsonAsync("""{"error":{"message":"assistant prefill is not taken here","type":"invalid_request_error","code":"no_prefill"}}""", 400);
            return;
        }
        await answer(call);
    }

    /// <summary>An event with one choice.</summary>
    public static string Event(string model, string delta, string finish) =>
        $"data: {{\"id\":\"chat-{model}\",\"created\":7,\"model\":\"{model}\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n";

    private static (string Model, int Given) Read(ScriptedCall call)
    {
        using var json = JsonDocument.Parse(call.Body);
        var messages = json.RootElement.GetProperty("messages");
        var last = messages[messages.GetArrayLength() - 1];
        var model = json.RootElement.GetProperty("model").GetString()!;
        if (last.GetProperty("role").GetString() != "assistant")
        {
            return (model, 0);
        }
        var text = last.GetProperty("content").GetString()!;
        var given = Enumerable.Range(0, Count + 1).First(count => string.Concat(Words.Take(count)) == text);
        return (model, given);
    }

    private static string Word(int index) => (index % 4) switch
    {
        0 => $"wörd{index}",
        1 => $"\"quoted{index}\"",
        2 => $"日本{index}",
        _ => $"😀{index}",
    };
}
