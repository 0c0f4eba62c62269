using Gateway.Replicas.Engines.Adapters;

namespace Gateway.Replicas.Engines;

/// <summary>Finds out which engine answers at an address, by GETs that neither load nor change anything.</summary>
/// <remarks>The model list is asked first: most engines sign it, one call then suffices, and every engine expects it.</remarks>
public static class EngineDetector
{
    private static readonly (string OwnedBy, EngineKind Kind)[] Signatures =
    [
        ("vllm", EngineKind.Vllm), ("sglang", EngineKind.SgLang), ("llamacpp", EngineKind.LlamaCpp),
        ("tensorrt_llm", EngineKind.TensorRtLlm), ("lmdeploy", EngineKind.LmDeploy),
    ];

    // SGLang also answers Ollama's paths, so Ollama comes after it.
    private static readonly (string Path, string Member, EngineKind Kind)[] Marks =
    [
        ("/version", "version", EngineKind.Vllm),
        ("/get_model_info", "model_path", EngineKind.SgLang),
        ("/get_server_info", "model_path", EngineKind.SgLang),
        ("/server_info", "model_path", EngineKind.SgLang),
        ("/props", "total_slots", EngineKind.LlamaCpp),
        ("/props", "default_generation_settings", EngineKind.LlamaCpp),
        ("/info", "max_concurrent_requests", EngineKind.Tgi),
        ("/info", "max_total_tokens", EngineKind.Tgi),
        ("/api/version", "version", EngineKind.Ollama),
    ];

    private static readonly (string Path, MetricTable Metrics, EngineKind Kind)[] Pages =
    [
        (MetricsPage.Path, VllmAdapter.Metrics, EngineKind.Vllm),
        (MetricsPage.Path, SgLangAdapter.Metrics, EngineKind.SgLang),
        (MetricsPage.Path, LlamaCppAdapter.Metrics, EngineKind.LlamaCpp),
        (MetricsPage.Path, TgiAdapter.Metrics, EngineKind.Tgi),
        (MetricsPage.Path, LmDeployAdapter.Metrics, EngineKind.LmDeploy),
        ("/prometheus/metrics", TensorRtLlmAdapter.Metrics, EngineKind.TensorRtLlm),
    ];

    /// <summary>The engine, <see cref="EngineKind.OpenAi"/> where nothing more is known; <see cref="EngineKind.Auto"/> while the address does not answer properly, with the reading that says why.</summary>
    public static async Task<(EngineKind Kind, EngineReading Reading)> DetectAsync(EngineClient client, CancellationToken cancellationToken)
    {
        var signed = EngineKind.Auto;
        using (var answer = await client.GetAsync(ModelList.Path, cancellationToken))
        {
            var reading = EngineReading.Not(answer, ModelList.Path);
            // An engine that is still loading answers 503 to everything: it is asked again later.
            if (reading.Outcome is ReadingOutcome.Failed or ReadingOutcome.Slow)
            {
                return (EngineKind.Auto, reading);
            }
            if (ModelList.TryRead(answer, [])?.OwnedBy is { } owner)
            {
                signed = Array.Find(Signatures, signature => signature.OwnedBy == owner).Kind;
            }
        }
        return signed != EngineKind.Auto ? (signed, EngineReading.Of(EngineReport.Empty)) : await DetectByMarksAsync(client, cancellationToken);
    }

    private static async Task<(EngineKind Kind, EngineReading Reading)> DetectByMarksAsync(EngineClient client, CancellationToken cancellationToken)
    {
        foreach (var marks in Marks.GroupBy(mark => mark.Path))
        {
            using var answer = await client.GetAsync(marks.Key, cancellationToken);
            if (answer.Failure is not null)
            {
                return (EngineKind.Auto, EngineReading.Not(answer, marks.Key));
            }
            using var json = EngineJson.TryParse(answer);
            foreach (var (_, member, kind) in marks)
            {
                if (json?.RootElement.Member(member) is not null)
                {
                    return (kind, EngineReading.Of(EngineReport.Empty));
                }
            }
        }
        foreach (var pages in Pages.GroupBy(page => page.Path))
        {
            using var answer = await client.GetAsync(pages.Key, cancellationToken);
            foreach (var (_, metrics, kind) in pages)
            {
                if (answer.IsSuccess && metrics.Read(answer.Body.Span) is not null)
                {
                    return (kind, EngineReading.Of(EngineReport.Empty));
                }
            }
        }
        return (EngineKind.OpenAi, EngineReading.Of(EngineReport.Empty));
    }
}
