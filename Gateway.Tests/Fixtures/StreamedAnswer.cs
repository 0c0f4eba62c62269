using System.Text;
using System.Text.Json;

namespace Gateway.Tests.Fixtures;

/// <summary>A streamed chat or text completion as its client understood it.</summary>
/// <param name="Status">Of the answer.</param>
/// <param name="Text">All of it.</param>
/// <param name="Finish">The last reason to end; <c>error</c> where an error event came, <c>cut</c> where nothing did.</param>
/// <param name="Usage">Prompt, output and total tokens of the last usage; empty: none came.</param>
/// <param name="Events">Events with data, the sentinel included.</param>
/// <param name="Roles">Events that name a role.</param>
/// <param name="Heads">Every id, time and model that occurred.</param>
/// <param name="Raw">The stream as it came.</param>
internal sealed record StreamedAnswer(int Status, string Text, string Finish, string Usage, int Events, int Roles, IReadOnlySet<string> Heads, string Raw)
{
    /// <summary>All that must be equal between two answers to one question.</summary>
    public string Essence => $"{Text}|{Finish}|{Usage}|{Events}|{Roles}";

    public string? Model => Heads.Count == 1 ? Heads.Single().Split('|')[2] : null;

    /// <summary>Asks for a stream and reads it to its end.</summary>
    public static async Task<StreamedAnswer> AskAsync(GatewayWorld world, string body, CancellationToken cancellationToken = default)
    {
        var path = body.Contains("\"messages\"", StringComparison.Ordinal) ? "/v1/chat/completions" : "/v1/completions";
        using var response = await world.PostAsync(path, body, cancellationToken);
        return Read((int)response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
    }

    /// <summary>Takes a stream apart.</summary>
    public static StreamedAnswer Read(int status, string raw)
    {
        var (text, finish, usage, events, roles) = (new StringBuilder(), "", "", 0, 0);
        var (heads, isDone) = (new HashSet<string>(), false);
        foreach (var line in raw.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)))
        {
            events++;
            if (line == "data: [DONE]")
            {
                isDone = true;
                continue;
            }
            using var json = JsonDocument.Parse(line.AsMemory(6));
            var root = json.RootElement;
            if (root.TryGetProperty("error", out _))
            {
                finish = "error";
                continue;
            }
            heads.Add($"{root.GetProperty("id")}|{root.GetProperty("created")}|{root.GetProperty("model")}");
            if (root.TryGetProperty("usage", out var counts) && counts.ValueKind == JsonValueKind.Object)
            {
                usage = $"{counts.GetProperty("prompt_tokens")}+{counts.GetProperty("completion_tokens")}={counts.GetProperty("total_tokens")}";
            }
            foreach (var choice in root.GetProperty("choices").EnumerateArray())
            {
                var holder = choice.TryGetProperty("delta", out var delta) ? delta : choice;
                roles += holder.TryGetProperty("role", out _) ? 1 : 0;
                text.Append(holder.TryGetProperty("content", out var piece) || holder.TryGetProperty("text", out piece) ? piece.GetString() : "");
                finish = choice.TryGetProperty("finish_reason", out var reason) && reason.GetString() is { } told ? told : finish;
            }
        }
        return new StreamedAnswer(status, text.ToString(), isDone || finish == "error" ? finish : "cut", usage, events, roles, heads, raw);
    }
}
