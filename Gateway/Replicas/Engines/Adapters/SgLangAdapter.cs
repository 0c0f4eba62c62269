using System.Text.Json;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>SGLang. Serves any model name, so that its list only warns.</summary>
public sealed class SgLangAdapter : IEngineAdapter
{
    private const string LoadsPath = "/v1/loads";

    internal static readonly MetricTable Metrics = new()
    {
        Running = ["sglang:num_running_reqs"],
        Waiting = [new Series("sglang:num_queue_reqs", "sglang:num_grammar_queue_reqs")],
        // token_usage moves in steps of 1 % and is the largest of several pools.
        KvUsage = ["sglang:full_token_usage", "sglang:token_usage"],
        KvCapacityTokens = ["sglang:max_total_num_tokens"],
        Preemptions = ["sglang:num_retracted_requests_total"],
        // The gauge cache_hit_rate is 0 most of the time, so the counters are read.
        PrefixHitTokens = ["sglang:cached_tokens_total"],
        PrefixQueryTokens = ["sglang:prompt_tokens_total"],
        Progress = [new Series("sglang:generation_tokens_total", "sglang:prompt_tokens_total")],
        SplitBy = ["priority"],
        RepeatedBy = ["tp_rank", "pp_rank", "moe_ep_rank"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.SgLang, "/health", ModelCheck.Warn);

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        var (list, reading) = await ModelList.ReadAsync(client, modelNames, cancellationToken);
        if (list is null)
        {
            return reading;
        }
        return EngineReading.Of(
            await ReadServerAsync(client, "/get_server_info", reading.Report, cancellationToken)
            ?? await ReadServerAsync(client, "/server_info", reading.Report, cancellationToken)
            ?? reading.Report);
    }

    public async Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken)
    {
        var reading = await MetricsPage.ReadAsync(client, Metrics, cancellationToken);
        if (reading.Outcome is ReadingOutcome.Read or ReadingOutcome.Slow or ReadingOutcome.Failed)
        {
            return reading;
        }
        using var answer = await client.GetAsync(LoadsPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        return json is not null && ReadLoads(json.RootElement) is { } report ? EngineReading.Of(report) : reading;
    }

    private static async Task<EngineReport?> ReadServerAsync(EngineClient client, string path, EngineReport report, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(path, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        if (json is null)
        {
            return null;
        }
        var server = json.RootElement;
        var states = server.Items("internal_states").ToArray();
        var perRank = states.Sum(state => state.Number("effective_max_running_requests_per_dp") ?? 0);
        var capacity = states.Sum(state => state.Member("memory_usage")?.Number("token_capacity") ?? 0);
        return report with
        {
            Version = server.Text("version"),
            ContextTokens = report.ContextTokens ?? Plausible.Context(server.Number("context_length")),
            Slots = Plausible.AtLeastOne(perRank > 0 ? perRank : server.Number("max_running_requests")),
            KvCapacityTokens = Plausible.Tokens(capacity > 0 ? capacity : server.Number("max_total_num_tokens")),
            Priority = PriorityOf(server),
            CachesPrefixes = server.Member("disable_radix_cache")?.ValueKind switch
            {
                JsonValueKind.True => false,
                JsonValueKind.False => true,
                _ => null,
            },
        };
    }

    // From its start arguments; an older version that does not list this one is taken not to have it.
    private static EnginePriority PriorityOf(JsonElement server) =>
        server.Member("enable_priority_scheduling") is not { } enabled ? EnginePriority.Auto
        : enabled.ValueKind == JsonValueKind.False ? EnginePriority.Off
        : enabled.ValueKind != JsonValueKind.True ? EnginePriority.Auto
        : server.Member("schedule_low_priority_values_first") is { ValueKind: JsonValueKind.True } ? EnginePriority.LowerFirst
        : EnginePriority.HigherFirst;

    /// <summary>One entry per data-parallel rank. An empty list, or ranks without room, is an engine that cannot say, not an idle one.</summary>
    private static EngineReport? ReadLoads(JsonElement answer)
    {
        var ranks = answer.Items("loads").ToArray();
        double running = 0, waiting = 0, used = 0, capacity = 0, slots = 0;
        foreach (var rank in ranks)
        {
            if (rank.Number("max_total_num_tokens") is not > 0)
            {
                return null;
            }
            running += rank.Number("num_running_reqs") ?? double.NaN;
            waiting += rank.Number("num_waiting_reqs") ?? double.NaN;
            used += rank.Number("num_used_tokens") ?? double.NaN;
            capacity += rank.Number("max_total_num_tokens") ?? double.NaN;
            slots += rank.Number("max_running_requests") ?? double.NaN;
        }
        return ranks.Length == 0 ? null : new EngineReport
        {
            RunningRequests = Plausible.Count(running),
            WaitingRequests = Plausible.Count(waiting),
            KvUsage = Plausible.Share(used / capacity),
            KvCapacityTokens = Plausible.Tokens(capacity),
            Slots = Plausible.AtLeastOne(slots),
        };
    }
}
