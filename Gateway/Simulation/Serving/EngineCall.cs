using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Gateway.Simulation.Serving;

/// <summary>One data request on its way through its endpoint: the parsed body, and what every endpoint needs to answer it.</summary>
internal sealed class EngineCall(EngineServer server, HttpContext http, JsonElement root, EngineFaults faults)
{
    public EngineServer Server { get; } = server;

    public HttpContext Http { get; } = http;

    public JsonElement Root { get; } = root;

    public EngineFaults Faults { get; } = faults;

    public CancellationToken Aborted => Http.RequestAborted;

    public long ArrivedAt { get; } = server.Options.Time.GetTimestamp();

    /// <summary>The name that the client asked for; one of the served ones.</summary>
    public string Model { get; private set; } = string.Empty;

    /// <summary>Seconds since 1970.</summary>
    public long Created => Server.Options.Time.GetUtcNow().ToUnixTimeSeconds();

    public string NewId(string prefix) => prefix + Server.NextId().ToString("x16", CultureInfo.InvariantCulture);

    /// <summary>Reads the model's name; null when it is one of the served ones.</summary>
    public EngineError? CheckModel()
    {
        if (!Root.TryGetProperty("model", out var name) || name.ValueKind == JsonValueKind.Null)
        {
            Model = Server.Options.Models[0];
            return null;
        }

        if (name.ValueKind != JsonValueKind.String)
        {
            return EngineError.BadRequest("model must be a string.", "model");
        }

        Model = PromptText.StringOf(name);
        return Server.Options.Models.Contains(Model, StringComparer.Ordinal) ? null : EngineError.NoSuchModel(Model);
    }

    /// <summary>Adds a sequence to a group, if it fits the context window. A <c>defaultMaxTokens</c> of null means what the window leaves.</summary>
    public EngineError? AddGeneration(GenerationGroup group, PromptText prompt, SamplingFields fields, int? defaultMaxTokens, int choice, AnswerShape shape, out int promptTokens)
    {
        promptTokens = Math.Max(1, SimulatedTokenizer.Count(prompt.Bytes));
        var window = Server.Profile.MaxModelTokens;
        var asked = fields.MaxTokens ?? Math.Min(defaultMaxTokens ?? int.MaxValue, Math.Max(1, window - promptTokens));
        if ((long)promptTokens + asked > window)
        {
            return EngineError.ContextExceeded(window, promptTokens, asked);
        }

        var answer = ComposedAnswer.Compose(Server.Seed, prompt, fields, asked, choice, shape);
        group.Generations.Add(new Generation(group, Request(prompt, promptTokens, answer.Pieces, fields.Priority), answer, ArrivedAt));
        return null;
    }

    /// <summary>Adds a sequence that only prefills, if it fits the context window.</summary>
    public EngineError? AddPrefill(GenerationGroup group, string text, out int promptTokens)
    {
        var prompt = PromptText.Bare(text);
        promptTokens = Math.Max(1, SimulatedTokenizer.Count(prompt.Bytes));
        if (promptTokens > Server.Profile.MaxModelTokens)
        {
            return EngineError.ContextExceeded(Server.Profile.MaxModelTokens, promptTokens, 0);
        }

        group.Generations.Add(new Generation(group, Request(prompt, promptTokens, [], 0), new ComposedAnswer([], "stop"), ArrivedAt));
        return null;
    }

    public Task WriteJsonAsync(Action<Utf8JsonWriter> write)
    {
        var body = JsonBytes.Of(write);
        Http.Response.ContentType = "application/json";
        Http.Response.ContentLength = body.Length;
        return Http.Response.Body.WriteAsync(body, Aborted).AsTask();
    }

    private EngineRequest Request(PromptText prompt, int promptTokens, byte[][] pieces, int priority)
    {
        var salt = Hashing.Chain(0, Root.TryGetProperty("cache_salt", out var value) ? (ulong)PromptText.TextOf(value).Length + Hashing.Chain(1, System.Text.Encoding.UTF8.GetBytes(PromptText.TextOf(value))) : 0);
        var length = prompt.Bytes.Length + pieces.Sum(piece => piece.Length);
        var text = System.Buffers.ArrayPool<byte>.Shared.Rent(length);
        prompt.Bytes.CopyTo(text);
        var end = prompt.Bytes.Length;
        foreach (var piece in pieces)
        {
            piece.CopyTo(text, end);
            end += piece.Length;
        }

        var hashes = SimulatedTokenizer.BlockHashes(text.AsSpan(0, end), Server.Profile.BlockTokens, salt).ToArray();
        System.Buffers.ArrayPool<byte>.Shared.Return(text);
        return new EngineRequest { PromptTokens = promptTokens, OutputTokens = pieces.Length, BlockHashes = hashes, Priority = priority };
    }
}
