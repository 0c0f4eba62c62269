namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Hugging Face Text Generation Inference. Serves one model under any name.</summary>
public sealed class TgiAdapter : IEngineAdapter
{
    private const string DescriptionPath = "/info";

    internal static readonly MetricTable Metrics = new()
    {
        Running = ["tgi_batch_current_size"],
        Waiting = ["tgi_queue_size"],
        KvUsedTokens = ["tgi_batch_current_max_tokens"],
        KvCapacityTokens = ["tgi_batch_max_total_tokens"],
        Progress = ["tgi_batch_inference_count"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.Tgi, "/health");

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(DescriptionPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        if (json is null)
        {
            return EngineReading.Not(answer, DescriptionPath);
        }
        var told = json.RootElement;
        return EngineReading.Of(new EngineReport
        {
            Version = told.Text("version"),
            Models = told.Text("model_id") is { } id ? [id] : [],
            ContextTokens = Plausible.Context(told.Number("max_total_tokens")),
            Slots = Plausible.AtLeastOne(told.Number("max_concurrent_requests")),
            KvCapacityTokens = Plausible.Tokens(told.Number("max_batch_total_tokens")),
        });
    }

    public Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken) =>
        MetricsPage.ReadAsync(client, Metrics, cancellationToken, knownCapacityTokens: known.KvCapacityTokens);
}
