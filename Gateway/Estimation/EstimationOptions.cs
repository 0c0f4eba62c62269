using System.ComponentModel.DataAnnotations;

namespace Gateway.Estimation;

/// <summary>How the length of an answer is foreseen. Takes effect on reload; what was learned is kept where the estimator stays.</summary>
public sealed record EstimationOptions
{
    /// <summary>Name of the estimator.</summary>
    public string Estimator { get; init; } = "ensemble";

    /// <summary>Output tokens expected before any answer has been seen; all that the <c>constant</c> estimator knows.</summary>
    [Range(1, 1_000_000)]
    public int InitialOutputTokens { get; init; } = 256;

    /// <summary>Answers under one key (model, tenant, application) that its running distribution remembers.</summary>
    [Range(8, 100_000)]
    public int Window { get; init; } = 512;
}
