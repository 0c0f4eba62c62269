using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Unicode;
using Gateway.Simulation.Serving.Endpoints;
using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving;

/// <summary>One engine behind HTTP: its routes, and what happens to every request before its endpoint sees it. Thread-safe.</summary>
internal sealed class EngineServer : IAsyncDisposable
{
    private static readonly FrozenDictionary<string, Func<EngineCall, Task>> Posts = new Dictionary<string, Func<EngineCall, Task>>
    {
        ["/v1/chat/completions"] = ChatEndpoint.AnswerAsync,
        ["/v1/completions"] = CompletionsEndpoint.AnswerAsync,
        ["/v1/responses"] = ResponsesEndpoint.AnswerAsync,
        ["/v1/messages"] = MessagesEndpoint.AnswerAsync,
        ["/v1/messages/count_tokens"] = MessagesEndpoint.CountTokensAsync,
        ["/v1/embeddings"] = PoolingEndpoints.EmbedAsync,
        ["/rerank"] = PoolingEndpoints.RerankAsync,
        ["/v1/rerank"] = PoolingEndpoints.RerankAsync,
        ["/v2/rerank"] = PoolingEndpoints.RerankAsync,
        ["/score"] = PoolingEndpoints.ScoreAsync,
        ["/v1/score"] = PoolingEndpoints.ScoreAsync,
        ["/classify"] = PoolingEndpoints.ClassifyAsync,
        ["/tokenize"] = TokenEndpoints.TokenizeAsync,
        ["/detokenize"] = TokenEndpoints.DetokenizeAsync,
        ["/v1/audio/speech"] = AudioEndpoints.SpeakAsync,
    }.ToFrozenDictionary(StringComparer.Ordinal);

    private static readonly FrozenSet<string> Uploads = new[] { "/v1/audio/transcriptions", "/v1/audio/translations" }.ToFrozenSet(StringComparer.Ordinal);

    private const int StoredResponses = 1_000;

    private readonly Random _chance;
    private readonly Lock _chanceGate = new();
    private EngineFaults _faults;
    private long _ids;

    public EngineServer(SimulatedEngineOptions options)
    {
        Options = options;
        Profile = options.EffectiveProfile();
        Seed = Hashing.Mix((ulong)options.Seed);
        Metrics = new EngineMetrics(Profile, options.Models[0], options.Time);
        Loop = new EngineLoop(new EngineModel(Profile, options.SchedulingPolicy), Metrics, options.Speed, options.Time);
        Journal = new EngineJournal(options.RecordedRequests);
        _chance = new Random(options.Seed);
        _faults = options.Faults;
    }

    public SimulatedEngineOptions Options { get; }

    public EngineProfile Profile { get; }

    public ulong Seed { get; }

    public EngineMetrics Metrics { get; }

    public EngineLoop Loop { get; }

    public EngineJournal Journal { get; }

    public ResponseStore Responses { get; } = new(StoredResponses);

    public EngineFaults Faults
    {
        get => Volatile.Read(ref _faults);
        set => Volatile.Write(ref _faults, value);
    }

    public ulong NextId() => Hashing.Chain(Seed, (ulong)Interlocked.Increment(ref _ids));

    public ValueTask DisposeAsync() => Loop.DisposeAsync();

    public async Task HandleAsync(HttpContext http)
    {
        var path = http.Request.Path.Value ?? "/";
        if (HttpMethods.IsGet(http.Request.Method) && await ModelEndpoints.TryAnswerAsync(this, http, path))
        {
            return;
        }

        // Before it counts as open: whoever sees that it is may change the faults of the next.
        var faults = Faults;
        Journal.Start();
        var wasCancelled = false;
        try
        {
            await AnswerAsync(http, path, faults);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException || http.RequestAborted.IsCancellationRequested)
        {
            wasCancelled = true;
        }
        finally
        {
            Journal.End(wasCancelled || http.RequestAborted.IsCancellationRequested);
        }
    }

    private async Task AnswerAsync(HttpContext http, string path, EngineFaults faults)
    {
        if (!IsAuthorised(http.Request, path))
        {
            await new EngineError(401, "Unauthorized", "Unauthorized").WriteAsync(http);
            return;
        }

        if (path.StartsWith(ResponsesEndpoint.Prefix, StringComparison.Ordinal) && !HttpMethods.IsPost(http.Request.Method))
        {
            await ResponsesEndpoint.AnswerStoredAsync(this, http, path[ResponsesEndpoint.Prefix.Length..]);
            return;
        }

        if (!Posts.TryGetValue(path, out var endpoint) && !Uploads.Contains(path))
        {
            await new EngineError(404, "NotFoundError", "Not Found").WriteAsync(http);
        }
        else if (!HttpMethods.IsPost(http.Request.Method))
        {
            http.Response.Headers.Allow = "POST";
            await new EngineError(405, "MethodNotAllowed", "Method Not Allowed").WriteAsync(http);
        }
        else if (endpoint is null)
        {
            Record(http, []);
            await AudioEndpoints.TranscribeAsync(this, http, faults, Fails(faults));
        }
        else
        {
            await AnswerJsonAsync(http, faults, endpoint);
        }
    }

    private async Task AnswerJsonAsync(HttpContext http, EngineFaults faults, Func<EngineCall, Task> endpoint)
    {
        using var body = await ReadBodyAsync(http);
        if (await FaultyAnswers.TryAnswerAsync(http, faults, Fails(faults)))
        {
            return;
        }

        if (body is null)
        {
            await EngineError.BadRequest("The request body is not valid JSON.").WriteAsync(http);
        }
        else if (body.RootElement.ValueKind != JsonValueKind.Object)
        {
            await EngineError.BadRequest("The request body must be a JSON object.").WriteAsync(http);
        }
        else
        {
            var call = new EngineCall(this, http, body.RootElement, faults);
            await (call.CheckModel() is { } unknown ? unknown.WriteAsync(http) : endpoint(call));
        }
    }

    private bool Fails(EngineFaults faults)
    {
        if (faults.FailRate <= 0)
        {
            return false;
        }

        lock (_chanceGate)
        {
            return _chance.NextDouble() < faults.FailRate;
        }
    }

    internal bool IsAuthorised(HttpRequest request, string path) =>
        Options.ApiKey is not { } key
        || !path.StartsWith("/v1", StringComparison.Ordinal)
        || request.Headers.Authorization == "Bearer " + key
        || request.Headers["x-api-key"] == key;

    /// <returns>Null when the body is not JSON.</returns>
    private async Task<JsonDocument?> ReadBodyAsync(HttpContext http)
    {
        using var bytes = new MemoryStream((int)Math.Clamp(http.Request.ContentLength ?? 1_024, 0, 1 << 20));
        await http.Request.Body.CopyToAsync(bytes, http.RequestAborted);
        Record(http, Journal.IsRecording ? bytes.ToArray() : []);
        var body = bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        try
        {
            return Utf8.IsValid(body.Span) ? JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 256 }) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private void Record(HttpContext http, byte[] body)
    {
        if (Journal.IsRecording)
        {
            var headers = http.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => string.Join(", ", header.Value.AsEnumerable()), StringComparer.Ordinal);
            Journal.Record(new RecordedRequest(http.Request.Method, http.Request.Path + http.Request.QueryString.Value, headers, body));
        }
    }
}
