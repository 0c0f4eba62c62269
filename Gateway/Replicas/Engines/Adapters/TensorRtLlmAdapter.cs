using System.Text.Json;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>TensorRT-LLM's <c>trtllm-serve</c>. Its <c>/metrics</c> is JSON, its Prometheus page stands elsewhere, and both need a switch.</summary>
public sealed class TensorRtLlmAdapter : IEngineAdapter
{
    private const string PagePath = "/prometheus/metrics";

    internal static readonly MetricTable Metrics = new()
    {
        Running = ["trtllm_num_requests_running", "trtllm_num_active_requests"],
        Waiting = ["trtllm_num_requests_waiting", "trtllm_num_queued_requests"],
        KvUsage = ["trtllm_kv_cache_utilization"],
        KvBlocks = ["trtllm_kv_cache_max_blocks"],
        KvBlockTokens = ["trtllm_kv_cache_tokens_per_block"],
        Slots = ["trtllm_max_num_active_requests"],
        Progress = ["trtllm_iteration_latency_seconds_count"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.TensorRtLlm, "/health", ModelCheck.Warn);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        var (list, reading) = await ModelList.ReadAsync(client, modelNames, cancellationToken);
        return list is null
            ? reading
            : EngineReading.Of(reading.Report with { Version = await client.GetTextAsync("/version", "version", cancellationToken) });
    }

    public async Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken)
    {
        var reading = await MetricsPage.ReadAsync(client, Metrics, cancellationToken, PagePath);
        if (reading.Outcome != ReadingOutcome.Absent)
        {
            return reading;
        }
        using var answer = await client.GetAsync(MetricsPage.Path, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        return json is not null && ReadSteps(json.RootElement) is { } report ? EngineReading.Of(report) : reading;
    }

    /// <summary>The steps since the last call, the newest at the end. None is an engine without a step, of which nothing is known.</summary>
    private static EngineReport? ReadSteps(JsonElement steps)
    {
        if (steps.ValueKind != JsonValueKind.Array || steps.GetArrayLength() is 0)
        {
            return null;
        }
        var step = steps[steps.GetArrayLength() - 1];
        var cache = step.Member("kvCacheStats");
        return new EngineReport
        {
            RunningRequests = Plausible.Count(step.Number("numActiveRequests")),
            WaitingRequests = Plausible.Count(step.Number("numQueuedRequests")),
            KvUsage = Plausible.Share(cache?.Number("usedNumBlocks") / cache?.Number("maxNumBlocks")),
            KvCapacityTokens = Plausible.Tokens(cache?.Number("maxNumBlocks") * cache?.Number("tokensPerBlock")),
            Slots = Plausible.AtLeastOne(step.Number("maxNumActiveRequests")),
            Progress = Plausible.Total(step.Number("iter")),
        };
    }
}
