using System.Globalization;
using System.Net;
using System.Net.Http;
using System.Net.Http.Headers;
using System.Text.Json;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Live;

/// <summary>Talks to the endpoint under load, as any application would. Thread-safe.</summary>
internal sealed class LiveClient : IDisposable
{
    private const int MostErrorBytes = 8 * 1024;
    private const int MostListBytes = 4 << 20;
    private const int MostNameLength = 128;
    private const int WarmUpTokens = 16;

    private static readonly TimeSpan WarmUpPatience = TimeSpan.FromSeconds(30);

    private readonly LiveTarget _target;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private int _templateTokens;

    public LiveClient(LiveTarget target, TimeProvider time)
    {
        (_target, _time) = (target, time);
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            ConnectTimeout = TimeSpan.FromSeconds(30),
            // Shorter than the five seconds after which vLLM's server closes an idle connection: a request sent into a closing one fails.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(4),
            ActivityHeadersPropagator = null,
            ResponseDrainTimeout = TimeSpan.Zero,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (target.Key is { } key)
        {
            _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>The model to ask for: the target's own, or the first one listed. Also tells whether the endpoint answers at all.</summary>
    /// <returns>A model, or what is wrong.</returns>
    public async Task<(string? Model, string? Problem)> FindModelAsync(CancellationToken cancellationToken)
    {
        var list = new Uri(_target.Root, "models");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30), _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var answer = await _http.GetAsync(list, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            {
                return (null, $"{list} answered {(int)answer.StatusCode}: {(_target.Key is null ? "it asks for a key; name the variable that holds it with --live-key." : "it does not accept the key of --live-key.")}");
            }
            if (_target.Model is { } wanted)
            {
                return (wanted, null);
            }
            if (!answer.IsSuccessStatusCode)
            {
                return (null, $"{list} answered {(int)answer.StatusCode}: name the model with --live-model, or check the URL.");
            }
            await answer.Content.LoadIntoBufferAsync(MostListBytes, either.Token);
            return FirstModel(await answer.Content.ReadAsByteArrayAsync(either.Token)) is { } first
                ? (first, null)
                : (null, $"{list} lists no model: name one with --live-model, or start one.");
        }
        catch (HttpRequestException unreachable)
        {
            return (null, $"{list} cannot be reached: {unreachable.Message}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (null, $"{list} did not answer within 30 s.");
        }
    }

    /// <summary>
    /// Asks once, for one token: compiling the code of a request would make the first rows late, and the answer says how many tokens the endpoint's chat
    /// template adds to a prompt. Made-up prompts are shorter by them, so that a row is as long for the engine as in the workload.
    /// </summary>
    public async Task WarmUpAsync(string model, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(WarmUpPatience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        var answer = await AskAsync(model, new TraceRequest { Arrival = TimeSpan.Zero, InputTokens = WarmUpTokens, OutputTokens = 1, SessionId = "none" }, 0, either.Token);
        _templateTokens = Math.Max(0, (answer.Stream?.Usage.PromptTokens ?? 0) - WarmUpTokens);
    }

    /// <summary>Sends a row and reads its answer to the end. Only cancelling cuts it short, and that too is an answer.</summary>
    public async Task<LiveAnswer> AskAsync(string model, TraceRequest row, long ordinal, CancellationToken cancellationToken)
    {
        if (row.InputTokens > LivePrompt.MostTokens && row.Prompt is null)
        {
            return new LiveAnswer { EndedAt = _time.GetTimestamp(), Failure = "not sent: a prompt too long to make up", Outcome = ReplayOutcome.TooLarge };
        }
        using var patience = new CancellationTokenSource(_target.Patience, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        using var message = LiveMessage.Create(_target, model, row with { InputTokens = Math.Max(1, row.InputTokens - _templateTokens) }, ordinal);
        var sentAt = _time.GetTimestamp();
        string failure;
        try
        {
            using var answer = await _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, either.Token);
            return answer.IsSuccessStatusCode ? await ReadAsync(answer, sentAt, either.Token) : await RefusedAsync(answer, sentAt, either.Token);
        }
        catch (HttpRequestException broken)
        {
            failure = broken.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError
                ? "no connection" : "connection broken";
        }
        catch (IOException)
        {
            failure = "connection broken";
        }
        catch (OperationCanceledException)
        {
            failure = "no end in time";
        }
        return new LiveAnswer
        {
            SentAt = sentAt,
            EndedAt = _time.GetTimestamp(),
            Failure = failure,
            Outcome = ReplayOutcome.Failed,
            IsGivenUp = cancellationToken.IsCancellationRequested,
        };
    }

    public void Dispose() => _http.Dispose();

    private async Task<LiveAnswer> ReadAsync(HttpResponseMessage answer, long sentAt, CancellationToken cancellationToken)
    {
        var stream = new LiveStream(_time);
        await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var failure = await stream.ReadAsync(body, cancellationToken);
        return new LiveAnswer
        {
            SentAt = sentAt,
            EndedAt = _time.GetTimestamp(),
            Failure = failure,
            Outcome = failure is null ? ReplayOutcome.Completed : ReplayOutcome.Failed,
            Stream = stream,
            QueueWait = TimeSpan.FromMilliseconds(Number(answer, "x-gateway-queue-ms")),
            EstimatedOutputTokens = Number(answer, "x-gateway-estimated-output-tokens"),
            Replica = Word(answer, "x-gateway-replica"),
        };
    }

    private async Task<LiveAnswer> RefusedAsync(HttpResponseMessage answer, long sentAt, CancellationToken cancellationToken)
    {
        var body = new byte[MostErrorBytes];
        await using var stream = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var read = await stream.ReadAtLeastAsync(body, body.Length, throwOnEndOfStream: false, cancellationToken);
        var reason = Word(answer, "x-gateway-reason");
        var status = ((int)answer.StatusCode).ToString(CultureInfo.InvariantCulture);
        return new LiveAnswer
        {
            SentAt = sentAt,
            EndedAt = _time.GetTimestamp(),
            Failure = reason is null ? $"status {status}" : $"status {status} ({reason})",
            Outcome = OutcomeOf((int)answer.StatusCode, reason, body.AsSpan(0, read)),
        };
    }

    private static ReplayOutcome OutcomeOf(int status, string? reason, ReadOnlySpan<byte> error) => status switch
    {
        400 or 413 when error.IndexOf("context_length_exceeded"u8) >= 0 || error.IndexOf("maximum context length"u8) >= 0 => ReplayOutcome.TooLarge,
        429 or 503 => ReplayOutcome.Refused,
        504 when reason is not null => ReplayOutcome.Refused,
        _ => ReplayOutcome.Failed,
    };

    private static string? FirstModel(byte[] list)
    {
        try
        {
            using var json = JsonDocument.Parse(list);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("data", out var models) && models.ValueKind == JsonValueKind.Array && models.GetArrayLength() > 0
                && models[0].ValueKind == JsonValueKind.Object && models[0].TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String
                ? id.GetString() : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static double Number(HttpResponseMessage answer, string header) =>
        answer.Headers.TryGetValues(header, out var values)
        && double.TryParse(values.First(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var value) && value < 1e9 ? value : 0;

    // What an endpoint writes into a header ends up on a terminal and in a page.
    private static string? Word(HttpResponseMessage answer, string header) =>
        answer.Headers.TryGetValues(header, out var values) && values.First() is { Length: > 0 and <= MostNameLength } word
        && word.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':' or '/' or '[' or ']') ? word : null;
}
