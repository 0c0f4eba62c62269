using System.Globalization;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces;
using Gateway.Requests;

namespace Gateway.Cli.Live;

/// <summary>A row of a workload as a streamed chat completion.</summary>
internal static class LiveMessage
{
    /// <summary>The request; disposed by whoever sends it.</summary>
    /// <param name="target">Whom it is for.</param>
    /// <param name="model">The model asked for.</param>
    /// <param name="row">The row.</param>
    /// <param name="ordinal">Tells the rows of a workload apart.</param>
    public static HttpRequestMessage Create(LiveTarget target, string model, TraceRequest row, long ordinal)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, new Uri(target.Root, "chat/completions"))
        {
            Content = new ByteArrayContent(Body(model, row, LivePrompt.Write(row, ordinal, target.Seed), target.IsPlain)),
        };
        message.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (row.Priority != PriorityClass.Default)
        {
            message.Headers.Add("x-gateway-priority", row.Priority.Word());
        }
        if (row.TimeToFirstTokenSlo is { } limit)
        {
            message.Headers.Add("x-gateway-ttft-slo-ms", Math.Ceiling(limit.TotalMilliseconds).ToString("0", CultureInfo.InvariantCulture));
        }
        if (row.SessionId is { } session)
        {
            // A trace may call its sessions anything; a header may not hold anything.
            message.Headers.Add("x-session-id", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(session)))[..16]);
        }
        return message;
    }

    private static byte[] Body(string model, TraceRequest row, byte[] prompt, bool isPlain)
    {
        // An answer of no tokens cannot be asked for.
        var output = Math.Max(1, row.OutputTokens);
        using var bytes = new MemoryStream(prompt.Length + 256);
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("model", model);
            json.WriteStartArray("messages");
            json.WriteStartObject();
            json.WriteString("role", "user");
            json.WriteString("content", prompt);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteNumber("max_tokens", output);
            if (!isPlain)
            {
                json.WriteNumber("min_tokens", output);
                json.WriteBoolean("ignore_eos", true);
            }
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return bytes.ToArray();
    }
}
