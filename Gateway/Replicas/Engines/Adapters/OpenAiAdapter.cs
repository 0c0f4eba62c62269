namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Anything that speaks the OpenAI API: no health call of its own and no load.</summary>
public sealed class OpenAiAdapter : IEngineAdapter
{
    public EngineTraits Traits { get; } = new(EngineKind.OpenAi, ModelList.Path, ModelCheck.Warn);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken) =>
        (await ModelList.ReadAsync(client, modelNames, cancellationToken)).Reading;

    public Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken) =>
        Task.FromResult(EngineReading.Absent("a plain OpenAI server tells no load"));
}
