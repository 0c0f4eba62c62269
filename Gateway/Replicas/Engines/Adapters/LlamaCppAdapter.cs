using System.Text.Json;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>llama.cpp's <c>llama-server</c>. Its window is per slot, and it serves any model name.</summary>
public sealed class LlamaCppAdapter : IEngineAdapter
{
    private const string PropsPath = "/props";
    private const string SlotsPath = "/slots";

    internal static readonly MetricTable Metrics = new()
    {
        Running = ["llamacpp:requests_processing"],
        Waiting = ["llamacpp:requests_deferred"],
        KvUsage = ["llamacpp:kv_cache_usage_ratio"],
        Progress = ["llamacpp:n_decode_total", "llamacpp:tokens_predicted_total"],
    };

    public EngineTraits Traits { get; } = new(EngineKind.LlamaCpp, "/health");

    public async Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken)
    {
        var (list, listed) = await ModelList.ReadAsync(client, modelNames, cancellationToken);
        using var answer = await client.GetAsync(PropsPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        if (json is null)
        {
            var reading = EngineReading.Not(answer, PropsPath);
            return list is not null && reading.Outcome == ReadingOutcome.Absent ? listed : reading;
        }
        var props = json.RootElement;
        var context = Plausible.Context(props.Member("default_generation_settings")?.Number("n_ctx"));
        var slots = Plausible.AtLeastOne(props.Number("total_slots"));
        return EngineReading.Of(new EngineReport
        {
            Version = props.Text("build_info"),
            Models = list?.Ids ?? [],
            ContextTokens = context,
            Slots = slots,
            KvCapacityTokens = (long?)context * slots,
        });
    }

    public async Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken)
    {
        var reading = await MetricsPage.ReadAsync(client, Metrics, cancellationToken);
        if (reading.Outcome is not (ReadingOutcome.Absent or ReadingOutcome.Unauthorized))
        {
            return reading;
        }
        using var answer = await client.GetAsync(SlotsPath, cancellationToken);
        using var json = EngineJson.TryParse(answer);
        return json is { RootElement.ValueKind: JsonValueKind.Array } ? EngineReading.Of(ReadSlots(json.RootElement)) : reading;
    }

    private static EngineReport ReadSlots(JsonElement slots)
    {
        var running = 0;
        foreach (var slot in slots.EnumerateArray())
        {
            if (slot.Member("is_processing") is { ValueKind: JsonValueKind.True } || slot.Number("state") is > 0)
            {
                running++;
            }
        }
        return new EngineReport { RunningRequests = running, Slots = Plausible.AtLeastOne(slots.GetArrayLength()) };
    }
}
