using System.Text;
using Gateway.Replay.Traces;
using Gateway.Requests;
using Gateway.Requests.Sketching;
using Gateway.Simulation;

namespace Gateway.Replay;

/// <summary>Turns a row of a workload into what the gateway sees and what the engine runs. Deterministic.</summary>
internal sealed class RequestFactory(string model, PrefixHasher hasher, LengthKnowledge lengths, ReplaySettings settings)
{
    /// <summary>Traces count tokens; the gateway counts bytes. With this ratio, told to it as the model's own, the two agree.</summary>
    public const int BytesPerToken = 4;

    // Classifiers in use tell three to five classes apart; longer ones share the last.
    private const int MostClasses = 16;

    private readonly string[] _classes = ClassNames(model);
    private long _count;

    /// <summary>The names under which the lengths of each class of a model are learned, the shortest class first.</summary>
    public static string[] ClassNames(string model) => [.. Enumerable.Range(0, MostClasses).Select(index => $"{model}#{index}")];

    /// <summary>The name under which a request's answer is expected and learned: the model's, or that of its length class where classes are known.</summary>
    public string LengthsOf(TraceRequest row) =>
        lengths == LengthKnowledge.Class && row.LengthClass is { } known ? _classes[Math.Clamp(known, 0, MostClasses - 1)] : model;

    /// <summary>What the gateway sees.</summary>
    public InferenceRequest Request(TraceRequest row) => new()
    {
        Id = $"r{++_count}",
        Route = ApiRoute.ChatCompletions,
        Model = model,
        Body = new BodyFacts
        {
            Model = model,
            IsStreaming = true,
            PromptBytes = row.InputTokens * BytesPerToken,
            BodyBytes = row.InputTokens * BytesPerToken,
            MaxOutputTokens = lengths == LengthKnowledge.Oracle ? row.OutputTokens : row.MaxOutputTokens,
            IgnoresEndOfSequence = lengths == LengthKnowledge.Oracle,
            Messages = 1,
            // A trace of several models runs in one pool here. Its models are kept apart by this key, as a gateway's pools would.
            SystemPromptKey = lengths == LengthKnowledge.Learned && row.Model is { } answering ? hasher.Key(Encoding.UTF8.GetBytes(answering)) : 0,
            Sketch = lengths == LengthKnowledge.Learned && row.Prompt is { } prompt ? TextSketch.Of(prompt) : null,
        },
        Prefix = row.Blocks.IsEmpty ? PrefixFingerprint.Empty : new PrefixFingerprint(row.Blocks.ToArray(), row.BlockTokens * BytesPerToken),
        SessionKey = row.SessionId is { } session ? hasher.Key(Encoding.UTF8.GetBytes(session)) : 0,
        TenantKey = row.ClientId is { } client ? hasher.Key(Encoding.UTF8.GetBytes(client)) : 0,
        Priority = settings.IgnoresPriorities ? PriorityClass.Default : row.Priority,
        TimeToFirstTokenSlo = row.TimeToFirstTokenSlo,
        Deadline = settings.Deadline,
    };

    /// <summary>The key of the tool that the answer calls; 0: unknown.</summary>
    public ulong ToolOf(TraceRequest row) => row.Tool is { } tool ? hasher.Key(Encoding.UTF8.GetBytes(tool)) : 0;

    /// <summary>What the engine runs.</summary>
    /// <param name="row">The request.</param>
    /// <param name="generatedTokens">Tokens of the answer that it already has: they are part of the prompt.</param>
    public EngineRequest EngineRequest(TraceRequest row, int generatedTokens = 0) => new()
    {
        PromptTokens = row.InputTokens + generatedTokens,
        OutputTokens = row.OutputTokens - generatedTokens,
        BlockHashes = EngineBlocks(row),
    };

    // A trace's block covers several of the engine's: each gets a hash of its own, made from the trace's and its place in it.
    private ulong[] EngineBlocks(TraceRequest row)
    {
        if (row.Blocks.IsEmpty)
        {
            return [];
        }
        var perBlock = Math.Max(1, row.BlockTokens / settings.Profile.BlockTokens);
        var count = Math.Min(row.Blocks.Length * perBlock, row.InputTokens / settings.Profile.BlockTokens);
        var hashes = new ulong[count];
        var blocks = row.Blocks.Span;
        for (var i = 0; i < count; i++)
        {
            hashes[i] = Hashing.Mix(blocks[i / perBlock] + ((ulong)(i % perBlock) * 0x9E3779B97F4A7C15UL));
        }
        return hashes;
    }
}
