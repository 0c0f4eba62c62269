using System.Text.Json;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>An engine's answer to <c>/v1/models</c>.</summary>
/// <param name="Ids">Names, at most <see cref="MaxIds"/>.</param>
/// <param name="ContextTokens">Longest prompt and answer together of the asked model; null: not told.</param>
/// <param name="OwnedBy">Who the first model belongs to, by which most engines can be told apart.</param>
internal sealed record ModelList(IReadOnlyList<string> Ids, int? ContextTokens, string? OwnedBy)
{
    public const string Path = "/v1/models";

    private const int MaxIds = 1_000;

    /// <summary>Reads the list; null where the answer is none.</summary>
    /// <param name="answer">The engine's answer.</param>
    /// <param name="modelNames">Whose context counts; another's is taken only where all that tell agree.</param>
    public static ModelList? TryRead(EngineAnswer answer, IReadOnlyList<string> modelNames)
    {
        using var json = EngineJson.TryParse(answer);
        if (json is null || json.RootElement.Member("data") is not { ValueKind: JsonValueKind.Array })
        {
            return null;
        }
        var contexts = new Dictionary<string, int?>(StringComparer.Ordinal);
        var parents = new Dictionary<string, string>(StringComparer.Ordinal);
        string? ownedBy = null;
        foreach (var model in json.RootElement.Items("data").Take(MaxIds))
        {
            if (model.Text("id") is not { Length: > 0 } id)
            {
                continue;
            }
            ownedBy ??= model.Text("owned_by");
            // meta.n_ctx_train, beside n_ctx, is what the model could do, not what this server does.
            contexts[id] = Plausible.Context(model.Number("max_model_len") ?? model.Member("meta")?.Number("n_ctx"));
            if (model.Text("parent") is { } parent)
            {
                parents[id] = parent;
            }
        }
        return new ModelList([.. contexts.Keys], ContextOf(modelNames, contexts, parents), ownedBy);
    }

    public static async Task<(ModelList? List, EngineReading Reading)> ReadAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(Path, cancellationToken);
        return TryRead(answer, modelNames) is { } list
            ? (list, EngineReading.Of(new EngineReport { Models = list.Ids, ContextTokens = list.ContextTokens }))
            : (null, EngineReading.Not(answer, Path));
    }

    private static int? ContextOf(IReadOnlyList<string> modelNames, Dictionary<string, int?> contexts, Dictionary<string, string> parents)
    {
        foreach (var name in modelNames)
        {
            if (contexts.TryGetValue(name, out var context))
            {
                // vLLM tells no length for an adapter: its base model's holds.
                return context ?? (parents.TryGetValue(name, out var parent) ? contexts.GetValueOrDefault(parent) : null);
            }
        }
        var told = contexts.Values.Where(context => context is not null).Distinct().Take(2).ToArray();
        return told.Length == 1 ? told[0] : null;
    }
}
