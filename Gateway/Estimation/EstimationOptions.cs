using System.ComponentModel.DataAnnotations;

namespace Gateway.Estimation;

/// <summary>How the length of an answer is foreseen. Another estimator takes effect on reload and begins to learn anew; the rest needs a restart.</summary>
public sealed record EstimationOptions
{
    /// <summary>Name of the estimator.</summary>
    public string Estimator { get; init; } = "ensemble";

    /// <summary>Output tokens expected before any answer has been seen; all that the <c>constant</c> estimator knows. Needs a restart.</summary>
    [Range(1, 1_000_000)]
    public int InitialOutputTokens { get; init; } = 256;

    /// <summary>Answers under one key (model, tenant, application) that its running distribution remembers. Needs a restart.</summary>
    [Range(8, 100_000)]
    public int Window { get; init; } = 512;

    /// <summary>File that keeps what was learned over a restart; it holds hashes and numbers, no text. <c>off</c>: none. Needs a restart.</summary>
    public string SnapshotPath { get; init; } = SnapshotOff;

    /// <summary>Keeps nothing.</summary>
    public const string SnapshotOff = "off";

    /// <summary>Time between two snapshots; one more is written at the end. Needs a restart.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SnapshotInterval { get; init; } = TimeSpan.FromMinutes(5);
}
