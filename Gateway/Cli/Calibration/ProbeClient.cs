using System.Net.Http;
using System.Net.Http.Headers;
using System.Text.Json;
using Gateway.Replicas.Engines.Adapters;

namespace Gateway.Cli.Calibration;

/// <summary>Sends probes to an OpenAI-compatible engine as streamed completions and times their tokens. Failures are values. Thread-safe.</summary>
internal sealed class ProbeClient(HttpClient http, Uri address, string? apiKey, string model, ProbeBudget budget, TimeProvider time)
{
    private const int MostErrorBytes = 4_096;
    private const int MostShown = 200;

    private readonly string _root = address.GetLeftPart(UriPartial.Path).TrimEnd('/');
    private readonly long _origin = time.GetTimestamp();
    private volatile bool _isPlain;

    /// <summary>Whether the engine refused vLLM's own fields, so that answers may end early.</summary>
    public bool IsPlain => _isPlain;

    /// <summary>Sends a prompt that is already charged; the stream ends when the answer does. Only the caller's own cancellation is thrown.</summary>
    public async Task RunAsync(ProbeStream stream, string prompt, int outputTokens, CancellationToken cancellationToken)
    {
        try
        {
            await SendAsync(stream, prompt, outputTokens, _isPlain, cancellationToken);
            if (stream.Status == 400 && !_isPlain && budget.TryTake(1))
            {
                (stream.Status, stream.Problem) = (0, null);
                await SendAsync(stream, prompt, outputTokens, isPlain: true, cancellationToken);
                _isPlain |= stream.Problem is null;
            }
        }
        catch (HttpRequestException problem)
        {
            stream.Problem = $"{_root} cannot be reached: {problem.Message}";
        }
        catch (IOException)
        {
            stream.Problem = "the answer broke off";
        }
        catch (JsonException)
        {
            stream.Problem = "the answer is not a stream of JSON";
        }
        finally
        {
            stream.End();
        }
    }

    private async Task SendAsync(ProbeStream stream, string prompt, int outputTokens, bool isPlain, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _root + "/v1/completions") { Content = new ByteArrayContent(Body(prompt, outputTokens, isPlain)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        request.Headers.Authorization = apiKey is null ? null : new AuthenticationHeaderValue("Bearer", apiKey);
        stream.SentAt = Now();
        using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            stream.Status = (int)response.StatusCode;
            stream.Problem = $"the engine answers {stream.Status}: {await MessageAsync(body, cancellationToken)}";
            return;
        }

        using var reader = new StreamReader(body);
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line.StartsWith("data:", StringComparison.Ordinal) && line.AsSpan(5).Trim() is not "[DONE]")
            {
                Take(stream, line, Now());
            }
        }
    }

    private static void Take(ProbeStream stream, string line, double now)
    {
        using var frame = JsonDocument.Parse(line.AsMemory(5));
        var root = frame.RootElement;
        if (root.Member("error") is not null)
        {
            stream.Problem = "the answer ended in an error";
            return;
        }

        if (root.Items("choices").Any())
        {
            stream.Add(now);
        }

        if (root.Member("usage") is { } usage)
        {
            stream.PromptTokens = (int?)usage.Number("prompt_tokens");
            stream.OutputTokens = (int?)usage.Number("completion_tokens");
            stream.CachedTokens = (int?)usage.Member("prompt_tokens_details")?.Number("cached_tokens");
        }
    }

    private byte[] Body(string prompt, int outputTokens, bool isPlain)
    {
        using var bytes = new MemoryStream();
        using (var json = new Utf8JsonWriter(bytes))
        {
            json.WriteStartObject();
            json.WriteString("model", model);
            json.WriteString("prompt", prompt);
            json.WriteNumber("max_tokens", outputTokens);
            json.WriteNumber("temperature", 0);
            json.WriteBoolean("stream", true);
            json.WriteStartObject("stream_options");
            json.WriteBoolean("include_usage", true);
            json.WriteEndObject();
            if (!isPlain)
            {
                json.WriteBoolean("ignore_eos", true);
                json.WriteNumber("min_tokens", outputTokens);
            }

            json.WriteEndObject();
        }

        return bytes.ToArray();
    }

    private static async Task<string> MessageAsync(Stream body, CancellationToken cancellationToken)
    {
        var bytes = new byte[MostErrorBytes];
        var read = await body.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken);
        try
        {
            using var json = JsonDocument.Parse(bytes.AsMemory(0, read));
            var message = json.RootElement.Member("error")?.Text("message") ?? json.RootElement.Text("message") ?? json.RootElement.Text("detail");
            return message is null ? "no message" : string.Concat(message.Take(MostShown).Select(letter => char.IsControl(letter) ? ' ' : letter));
        }
        catch (JsonException)
        {
            return "no message";
        }
    }

    private double Now() => time.GetElapsedTime(_origin).TotalMilliseconds;
}
