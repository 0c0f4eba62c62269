namespace Gateway.Replicas.Engines.Adapters;

/// <summary>vLLM's OpenAI server. Its <c>/load</c> is never read: it answers 0 for ever unless switched on.</summary>
public sealed class VllmAdapter : IEngineAdapter
{
    /// <remarks>Names of V1, then of older versions.</remarks>
    internal static readonly MetricTable Metrics = new()
    {
        Running = ["vllm:num_requests_running"],
        // The series without a reason also counts requests that wait for other things than room.
        Waiting = [new Series("vllm:num_requests_waiting_by_reason") { Where = ("reason"u8.ToArray(), "capacity"u8.ToArray()) }, "vllm:num_requests_waiting"],
        KvUsage = ["vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"],
        KvInfo = ["vllm:cache_config_info"],
        Preemptions = ["vllm:num_preemptions_total", "vllm:num_preemptions"],
        // What a connector found in other memory is a hit too; it was looked up here before.
        PrefixHitTokens = [new Series("vllm:prefix_cache_hits_total", "vllm:external_prefix_cache_hits_total"), "vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits_total", "vllm:gpu_prefix_cache_hits"],
        PrefixQueryTokens = ["vllm:prefix_cache_queries_total", "vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries_total", "vllm:gpu_prefix_cache_queries"],
        Progress = ["vllm:iteration_tokens_total_count", "vllm:generation_tokens_total"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.Vllm, "/health", ModelCheck.Strict, BeatsEveryStep: true);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        var (list, reading) = await ModelList.ReadAsync(client, modelNames, cancellationToken);
        return list is null
            ? reading
            : EngineReading.Of(reading.Report with { Version = await client.GetTextAsync("/version", "version", cancellationToken) });
    }

    public Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken) =>
        MetricsPage.ReadAsync(client, Metrics, cancellationToken);
}
