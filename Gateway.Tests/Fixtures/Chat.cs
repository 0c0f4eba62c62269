using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gateway.Tests.Fixtures;

/// <summary>How an answer ended for its client.</summary>
internal enum ChatEnd
{
    /// <summary>In order: the sentinel of a stream, the whole of a plain answer.</summary>
    Done,

    /// <summary>With an error in the API's shape: a status, or the last event of a stream.</summary>
    Error,

    /// <summary>The stream stopped and nothing said why.</summary>
    SilentCut,
}

/// <summary>What a client got.</summary>
internal sealed record ChatReply(int Status, ChatEnd End, string Text, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The replica that answered.</summary>
    public string Replica => Headers["x-gateway-replica"];

    /// <summary>A number among the headers.</summary>
    public double Number(string header) => double.Parse(Headers[header], CultureInfo.InvariantCulture);
}

/// <summary>A streamed answer whose headers are there; disposing it is leaving.</summary>
internal sealed class OpenChat(HttpResponseMessage response) : IDisposable
{
    public HttpResponseMessage Response { get; } = response;

    public string Replica => Response.Headers.GetValues("x-gateway-replica").Single();

    /// <summary>Reads on to the end.</summary>
    /// <exception cref="HttpRequestException">The connection was cut.</exception>
    public async Task<ChatReply> ReadAsync(Action? onLine = null, CancellationToken cancellationToken = default)
    {
        var (end, text) = (ChatEnd.SilentCut, new StringBuilder());
        using var reader = new StreamReader(await Response.Content.ReadAsStreamAsync(cancellationToken));
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            onLine?.Invoke();
            if (!line.StartsWith("data: ", StringComparison.Ordinal))
            {
                continue;
            }
            if (line == "data: [DONE]")
            {
                // Behind an error the sentinel only closes the stream.
                end = end == ChatEnd.Error ? end : ChatEnd.Done;
                continue;
            }
            using var frame = JsonDocument.Parse(line.AsMemory(6));
            if (frame.RootElement.TryGetProperty("error", out _))
            {
                end = ChatEnd.Error;
            }
            else if (frame.RootElement.GetProperty("choices") is { } choices && choices.GetArrayLength() > 0
                && choices[0].GetProperty("delta").TryGetProperty("content", out var piece))
            {
                text.Append(piece.GetString());
            }
        }
        return new ChatReply((int)Response.StatusCode, end, text.ToString(), Chat.HeadersOf(Response));
    }

    public void Dispose() => Response.Dispose();
}

/// <summary>Chats with a gateway as a client would.</summary>
internal static class Chat
{
    private const string Path = "/v1/chat/completions";

    /// <summary>A prompt's beginning that no other number shares, of about so many tokens.</summary>
    public static string Words(int tokens, int number)
    {
        var text = new StringBuilder();
        for (var i = 0; i < tokens; i++)
        {
            text.Append(CultureInfo.InvariantCulture, $"w{(number * 7919) + i} ");
        }
        return text.ToString();
    }

    /// <summary>The body of a request with one user turn.</summary>
    public static string Body(string prompt, int? maxTokens = null, bool isStreaming = false, string more = "") =>
        Body([("user", prompt)], maxTokens, isStreaming, more);

    /// <summary>The body of a request with several turns.</summary>
    public static string Body(IEnumerable<(string Role, string Text)> turns, int? maxTokens = null, bool isStreaming = false, string more = "")
    {
        var messages = string.Join(',', turns.Select(turn => $$"""{"role":"{{turn.Role}}","content":{{JsonSerializer.Serialize(turn.Text)}}}"""));
        var limit = maxTokens is { } most ? string.Create(CultureInfo.InvariantCulture, $",\"max_tokens\":{most}") : "";
        return $$"""{"model":"{{GatewayWorld.Model}}","messages":[{{messages}}]{{limit}}{{(isStreaming ? ",\"stream\":true" : "")}}{{more}}}""";
    }

    /// <summary>Asks, and reads the answer to its end.</summary>
    public static async Task<ChatReply> AskAsync(
        this GatewayWorld world, string body, IEnumerable<(string Name, string Value)>? headers = null, CancellationToken cancellationToken = default)
    {
        using var response = await world.PostAsync(Path, body, headers ?? [], cancellationToken);
        if (response.Content.Headers.ContentType?.MediaType == "text/event-stream")
        {
            using var chat = new OpenChat(response);
            return await chat.ReadAsync(null, cancellationToken);
        }
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        using var json = JsonDocument.Parse(text);
        return json.RootElement.TryGetProperty("choices", out var choices)
            ? new ChatReply((int)response.StatusCode, ChatEnd.Done, choices[0].GetProperty("message").GetProperty("content").GetString() ?? "", HeadersOf(response))
            : new ChatReply((int)response.StatusCode, json.RootElement.TryGetProperty("error", out _) ? ChatEnd.Error : ChatEnd.SilentCut, text, HeadersOf(response));
    }

    /// <summary>Asks for a stream, and returns when its headers are there.</summary>
    public static async Task<OpenChat> OpenAsync(
        this GatewayWorld world, string prompt, int? maxTokens = null, IEnumerable<(string Name, string Value)>? headers = null, string more = "")
    {
        var response = await world.PostAsync(Path, Body(prompt, maxTokens, isStreaming: true, more), headers ?? []).ComesAsync("the headers of a stream");
        Assert.Equal(200, (int)response.StatusCode);
        return new OpenChat(response);
    }

    /// <summary>The sum of a metric's samples whose labels contain a text.</summary>
    public static async Task<double> MetricAsync(this HttpClient client, string name, string labels = "")
    {
        var page = await client.GetStringAsync("/metrics");
        return page.Split('\n')
            .Where(line => line.StartsWith(name + "{", StringComparison.Ordinal) || line.StartsWith(name + " ", StringComparison.Ordinal))
            .Where(line => line.Contains(labels, StringComparison.Ordinal))
            .Sum(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture));
    }

    /// <summary>Requests in flight at all replicas, by the gateway's own ledger.</summary>
    public static int Running(this GatewayWorld world) => world.Pool.ReplicaList.Sum(replica => replica.Snapshot().RunningRequests);

    internal static Dictionary<string, string> HeadersOf(HttpResponseMessage response) =>
        response.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => string.Join(", ", header.Value), StringComparer.Ordinal);
}
