namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Ollama. It has no metrics: requests are counted against its slots, one unless configured, as <c>OLLAMA_NUM_PARALLEL</c> is.</summary>
public sealed class OllamaAdapter : IEngineAdapter
{
    private const string TagsPath = "/api/tags";
    private const string LoadedPath = "/api/ps";
    private const string DefaultTag = ":latest";
    private const int DefaultSlots = 1;
    private const int MaxModels = 1_000;

    public EngineTraits Traits { get; } = new(EngineKind.Ollama, "/api/version", ModelCheck.Warn);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(TagsPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        if (json is null)
        {
            return EngineReading.Not(answer, TagsPath);
        }
        var models = json.RootElement.Items("models").Take(MaxModels).Select(model => model.Text("name")).OfType<string>();
        return EngineReading.Of(new EngineReport
        {
            Version = await client.GetTextAsync(Traits.HealthPath, "version", cancellationToken),
            Models = [.. models.SelectMany(NamesOf)],
            Slots = DefaultSlots,
            ContextTokens = await ReadContextAsync(client, modelNames, cancellationToken),
        });
    }

    public Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken) =>
        Task.FromResult(EngineReading.Absent("Ollama tells no load"));

    /// <summary>The window with which the model is loaded now; null while it is not loaded, since it depends on the memory then free.</summary>
    private static async Task<int?> ReadContextAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(LoadedPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        foreach (var model in json?.RootElement.Items("models") ?? [])
        {
            if (modelNames.Any(name => IsNamed(model.Text("name"), name)))
            {
                return Plausible.Context(model.Number("context_length"));
            }
        }
        return null;
    }

    private static bool IsNamed(string? tagged, string name) => tagged is not null && NamesOf(tagged).Contains(name);

    // A name without a tag asks for this one.
    private static string[] NamesOf(string tagged) => tagged.EndsWith(DefaultTag, StringComparison.Ordinal) ? [tagged, tagged[..^DefaultTag.Length]] : [tagged];
}
