namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Reads an engine's metrics page by its table of names.</summary>
internal static class MetricsPage
{
    public const string Path = "/metrics";

    public static async Task<EngineReading> ReadAsync(
        EngineClient client, MetricTable table, CancellationToken cancellationToken, string path = Path, long? knownCapacityTokens = null)
    {
        using var answer = await client.GetAsync(path, cancellationToken);
        if (!answer.IsSuccess)
        {
            return EngineReading.Not(answer, path);
        }
        return table.Read(answer.Body.Span, knownCapacityTokens) is { } report
            ? EngineReading.Of(report)
            : EngineReading.Absent($"{path} has none of the engine's series: its statistics are switched off");
    }
}
