using System.Globalization;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Gateway.Cli.Demo;

/// <summary>An application of the demo: talks to the gateway as to any server of the OpenAI API. Thread-safe.</summary>
internal sealed class DemoClient(Uri gateway, TimeProvider time) : IDisposable
{
    /// <summary>The model that the demo's engines serve.</summary>
    public const string Model = "demo";

    private readonly HttpClient _http = new() { BaseAddress = gateway, Timeout = TimeSpan.FromMinutes(2) };

    /// <summary>Asks one question and reads its answer to the end.</summary>
    /// <param name="conversation">Whose headers it carries.</param>
    /// <param name="messages">All messages so far, the question last; the answer is added where there is one.</param>
    /// <param name="turn">The question.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<DemoResult> AskAsync(DemoConversation conversation, List<(string Role, string Text)> messages, DemoTurn turn, CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        var reading = new DemoAnswer(begun, time);
        var replica = default(string);
        string? failure;
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new ByteArrayContent(Body(messages, turn)) };
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", conversation.Tenant);
            request.Headers.Add("x-session-id", conversation.Id);
            request.Headers.Add("x-gateway-priority", conversation.Priority);
            using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
            replica = response.Headers.TryGetValues("x-gateway-replica", out var values) ? values.First() : null;
            failure = response.IsSuccessStatusCode
                ? await reading.ReadAsync(response.Content, turn.IsStreamed, cancellationToken)
                : string.Create(CultureInfo.InvariantCulture, $"status {(int)response.StatusCode}");
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or JsonException
            || (broken is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            failure = broken is OperationCanceledException ? "no answer in time" : broken.GetType().Name;
        }
        messages.Add(("assistant", reading.Text));
        return new DemoResult
        {
            Tenant = conversation.Tenant,
            IsStreamed = turn.IsStreamed,
            Failure = failure,
            Replica = replica,
            TimeToFirstToken = reading.FirstTokenAt is { } first ? time.GetElapsedTime(begun, first) : null,
            Latency = time.GetElapsedTime(begun),
            PromptTokens = reading.PromptTokens,
            CachedTokens = reading.CachedTokens,
            OutputTokens = reading.OutputTokens,
        };
    }

    public void Dispose() => _http.Dispose();

    private static byte[] Body(List<(string Role, string Text)> messages, DemoTurn turn)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("model", Model);
            json.WriteStartArray("messages");
            foreach (var (role, text) in messages)
            {
                json.WriteStartObject();
                json.WriteString("role", role);
                json.WriteString("content", text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            if (turn.MaxTokens is { } most)
            {
                json.WriteNumber("max_tokens", most);
            }
            if (turn.IsStreamed)
            {
                json.WriteBoolean("stream", true);
                json.WriteStartObject("stream_options");
                json.WriteBoolean("include_usage", true);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }
}

/// <summary>What the demo's client reads of one answer.</summary>
internal sealed class DemoAnswer(long begun, TimeProvider time)
{
    private readonly StringBuilder _text = new();

    public string Text => _text.ToString();

    /// <summary>When the first token of a stream came; null: none, or no stream.</summary>
    public long? FirstTokenAt { get; private set; }

    public int PromptTokens { get; private set; }

    public int CachedTokens { get; private set; }

    public int OutputTokens { get; private set; }

    /// <returns>Null, or why the answer counts as failed.</returns>
    public async Task<string?> ReadAsync(HttpContent content, bool isStreamed, CancellationToken cancellationToken)
    {
        await using var body = await content.ReadAsStreamAsync(cancellationToken);
        var isEnded = !isStreamed;
        if (!isStreamed)
        {
            using var whole = await JsonDocument.ParseAsync(body, cancellationToken: cancellationToken);
            Take(whole.RootElement, "message");
        }
        else
        {
            using var lines = new StreamReader(body, Encoding.UTF8);
            while (await lines.ReadLineAsync(cancellationToken) is { } line)
            {
                if (!line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    continue;
                }
                isEnded = line == "data: [DONE]";
                if (!isEnded)
                {
                    using var chunk = JsonDocument.Parse(line.AsMemory("data: ".Length));
                    if (chunk.RootElement.TryGetProperty("error", out _))
                    {
                        return "error in the stream";
                    }
                    Take(chunk.RootElement, "delta");
                }
            }
        }
        return !isEnded ? "stream cut" : OutputTokens == 0 ? "empty answer" : null;
    }

    private void Take(JsonElement answer, string part)
    {
        foreach (var choice in answer.GetProperty("choices").EnumerateArray())
        {
            if (choice.GetProperty(part).TryGetProperty("content", out var content) && content.GetString() is { Length: > 0 } text)
            {
                _text.Append(text);
                FirstTokenAt ??= part == "delta" ? Math.Max(begun, time.GetTimestamp()) : null;
            }
        }
        if (answer.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object)
        {
            PromptTokens = usage.GetProperty("prompt_tokens").GetInt32();
            OutputTokens = usage.GetProperty("completion_tokens").GetInt32();
            CachedTokens = usage.TryGetProperty("prompt_tokens_details", out var details) && details.ValueKind == JsonValueKind.Object
                && details.TryGetProperty("cached_tokens", out var cached) ? cached.GetInt32() : 0;
        }
    }
}
