namespace Gateway.Replicas.Engines.Adapters;

/// <summary>LMDeploy. Its list of models has no window: that is configured.</summary>
public sealed class LmDeployAdapter : IEngineAdapter
{
    internal static readonly MetricTable Metrics = new()
    {
        Running = ["lmdeploy:num_requests_running"],
        Waiting = [new Series("lmdeploy:num_requests_waiting", "lmdeploy:num_api_requests_waiting")],
        KvUsage = ["lmdeploy:gpu_cache_usage_perc"],
        KvInfo = ["lmdeploy:backend_config_info"],
        PrefixHitTokens = ["lmdeploy:cached_tokens_total"],
        PrefixQueryTokens = ["lmdeploy:prompt_tokens_total"],
        Progress = ["lmdeploy:iteration_tokens_total_count", "lmdeploy:generation_tokens_total"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.LmDeploy, "/health", ModelCheck.Strict);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken) =>
        (await ModelList.ReadAsync(client, modelNames, cancellationToken)).Reading;

    public Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken) =>
        MetricsPage.ReadAsync(client, Metrics, cancellationToken);
}
