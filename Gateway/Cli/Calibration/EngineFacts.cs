using System.Globalization;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Adapters;

namespace Gateway.Cli.Calibration;

/// <summary>What an engine tells of itself. Null: not told.</summary>
/// <param name="Model">The model to probe.</param>
/// <param name="ContextTokens">Longest prompt plus answer.</param>
/// <param name="KvBlocks">KV cache blocks.</param>
/// <param name="BlockTokens">Tokens per block.</param>
internal sealed record EngineFacts(string Model, int? ContextTokens, int? KvBlocks, int? BlockTokens)
{
    /// <summary>Asks the engine.</summary>
    /// <returns>The facts, or a sentence that says why there are none.</returns>
    public static async Task<(EngineFacts? Facts, string? Problem)> ReadAsync(EngineClient client, string? model, CancellationToken cancellationToken)
    {
        using var answer = await client.GetAsync(ModelList.Path, cancellationToken);
        if (!answer.IsSuccess)
        {
            return (null, answer switch
            {
                { Failure: { } failure } => $"the engine cannot be reached: {failure}.",
                { IsUnauthorized: true } => $"the engine answers {answer.Status} to {ModelList.Path}: name the variable that holds its key with --api-key-env.",
                _ => $"the engine answers {answer.Status} to {ModelList.Path}: is this an OpenAI-compatible address?",
            });
        }

        if (ModelList.TryRead(answer, model is null ? [] : [model]) is not { Ids.Count: > 0 } list)
        {
            return (null, $"the engine's {ModelList.Path} lists no model.");
        }

        if (model is not null && !list.Ids.Contains(model, StringComparer.Ordinal))
        {
            return (null, $"the engine does not serve \"{model}\". It serves: {string.Join(", ", list.Ids.Take(10))}.");
        }

        if (model is null && list.Ids.Count > 1)
        {
            return (null, $"the engine serves several models; choose one with --model: {string.Join(", ", list.Ids.Take(10))}.");
        }

        var (blocks, size) = await ReadCacheAsync(client, cancellationToken);
        return (new EngineFacts(model ?? list.Ids[0], list.ContextTokens, blocks, size), null);
    }

    private static async Task<(int? Blocks, int? BlockTokens)> ReadCacheAsync(EngineClient client, CancellationToken cancellationToken)
    {
        using var page = await client.GetAsync(MetricsPage.Path, cancellationToken);
        if (page.IsSuccess)
        {
            foreach (var sample in new PrometheusText(page.Body.Span))
            {
                if (sample.Name.EndsWith("cache_config_info"u8) && Count(sample.Label("num_gpu_blocks"u8)) is { } blocks && Count(sample.Label("block_size"u8)) is { } size)
                {
                    return (blocks, size);
                }
            }
        }

        return (null, null);
    }

    private static int? Count(string? text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count is > 0 and <= 100_000_000 ? count : null;
}
