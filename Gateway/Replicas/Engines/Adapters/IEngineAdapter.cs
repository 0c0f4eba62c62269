namespace Gateway.Replicas.Engines.Adapters;

/// <summary>What an engine's list of models is worth.</summary>
public enum ModelCheck
{
    /// <summary>It answers for any name, or names its model otherwise than clients do: not compared.</summary>
    None,

    /// <summary>It answers for any name, also with the wrong model, or takes names that it does not list: an unknown one is worth a warning.</summary>
    Warn,

    /// <summary>It refuses names that it does not list.</summary>
    Strict,
}

/// <summary>What is fixed for an engine kind.</summary>
/// <param name="Kind">The engine.</param>
/// <param name="HealthPath">Cheapest call that says whether it lives.</param>
/// <param name="ModelCheck">What its list of models is worth.</param>
/// <param name="BeatsEveryStep">Whether <see cref="EngineReport.Progress"/> moves with every step, so that standing still under load means hung.</param>
public sealed record EngineTraits(EngineKind Kind, string HealthPath, ModelCheck ModelCheck = ModelCheck.None, bool BeatsEveryStep = false);

/// <summary>How one engine kind tells about itself. Stateless; GETs only, never one that loads or changes anything.</summary>
public interface IEngineAdapter
{
    EngineTraits Traits { get; }

    /// <summary>Reads what changes rarely: version, models, context, slots, KV room.</summary>
    /// <param name="client">The engine.</param>
    /// <param name="modelNames">The pool's names for its model: whose context counts where several are listed.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    Task<EngineReading> DescribeAsync(EngineClient client, IReadOnlyList<string> modelNames, CancellationToken cancellationToken);

    /// <summary>Reads its load.</summary>
    /// <param name="client">The engine.</param>
    /// <param name="known">What is known of it: sizes that turn amounts into shares.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    Task<EngineReading> ReadLoadAsync(EngineClient client, EngineReport known, CancellationToken cancellationToken);
}

/// <summary>The adapters by kind.</summary>
public static class EngineAdapters
{
    private static readonly IEngineAdapter[] All =
    [
        new VllmAdapter(), new SgLangAdapter(), new LlamaCppAdapter(), new TgiAdapter(),
        new OllamaAdapter(), new TensorRtLlmAdapter(), new LmDeployAdapter(), new OpenAiAdapter(),
    ];

    /// <exception cref="ArgumentOutOfRangeException"><see cref="EngineKind.Auto"/>, which is no engine.</exception>
    public static IEngineAdapter Of(EngineKind kind) =>
        Array.Find(All, adapter => adapter.Traits.Kind == kind) ?? throw new ArgumentOutOfRangeException(nameof(kind), kind, "is no engine");
}
