using Gateway.Replay.Reports;
using Gateway.Requests;

namespace Gateway.Replay.Scenarios;

/// <summary>The table of figures that a claim can be about: a new one is one line here. Times in seconds, shares 0 to 1.</summary>
public static class ScenarioMetrics
{
    private static readonly Dictionary<string, Func<ScenarioFigures, double?>> Metrics = new(StringComparer.Ordinal)
    {
        ["ttft_mean"] = run => run.Summary.TimeToFirstToken.Mean,
        ["ttft_p50"] = run => run.Summary.TimeToFirstToken.P50,
        ["ttft_p99"] = run => run.Summary.TimeToFirstToken.P99,
        ["e2e_mean"] = run => run.Summary.EndToEnd.Mean,
        ["e2e_p50"] = run => run.Summary.EndToEnd.P50,
        ["e2e_p99"] = run => run.Summary.EndToEnd.P99,
        ["e2e_max"] = run => run.Summary.EndToEnd.Max,
        ["normalized_mean"] = run => run.Summary.NormalizedLatency.Mean,
        ["normalized_p99"] = run => run.Summary.NormalizedLatency.P99,
        ["tpot_mean"] = run => run.Summary.TimePerOutputToken.Mean,
        ["tpot_p99"] = run => run.Summary.TimePerOutputToken.P99,
        ["queue_wait_mean"] = run => run.Summary.QueueWait.Mean,
        ["throughput"] = run => run.Summary.RequestsPerSecond,
        ["goodput"] = run => run.Summary.Goodput,
        ["good_share"] = run => run.Summary.GoodShare,
        ["preemptions"] = run => run.Summary.Preemptions,
        ["cached_share"] = run => run.Summary.CachedTokenShare,
        ["busy_max_over_mean"] = run => run.Summary.Imbalance?.BusyMaxOverMean,
        ["token_variation"] = run => run.Summary.Imbalance?.TokenVariation,
        ["jain"] = run => run.Summary.Fairness?.JainIndex,
        ["interactive_ttft_p99"] = run => ClassOf(run, PriorityClass.Interactive)?.TimeToFirstToken.P99,
        ["interactive_e2e_mean"] = run => ClassOf(run, PriorityClass.Interactive)?.EndToEnd.Mean,
        ["batch_e2e_mean"] = run => ClassOf(run, PriorityClass.Batch)?.EndToEnd.Mean,
        ["flooder_ttft_mean"] = run => run.FlooderTimeToFirstToken,
        ["others_ttft_mean"] = run => run.OthersTimeToFirstToken,
        ["others_ttft_p99"] = run => run.OthersTimeToFirstTokenP99,
        ["interactive_ttft_mean"] = run => ClassOf(run, PriorityClass.Interactive)?.TimeToFirstToken.Mean,
        ["batch_e2e_p99"] = run => ClassOf(run, PriorityClass.Batch)?.EndToEnd.P99,
        ["requeued"] = run => run.Requeued,
        ["interrupted"] = run => run.Interrupted,
        ["computed_tokens"] = run => run.ComputedTokens,
    };

    /// <summary>What a claim may name.</summary>
    public static IReadOnlyCollection<string> Names => Metrics.Keys;

    /// <summary>The figure; null where the run has none.</summary>
    /// <exception cref="KeyNotFoundException">An unknown name: the reader should have refused it.</exception>
    internal static double? Of(string name, ScenarioFigures run) => Metrics[name](run);

    private static ClassSummary? ClassOf(ScenarioFigures run, PriorityClass priority) =>
        run.Summary.Classes.FirstOrDefault(row => row.Priority == priority);
}

/// <summary>What one run of a scenario measured.</summary>
/// <param name="Summary">The figures that every replay has.</param>
internal sealed record ScenarioFigures(RunSummary Summary)
{
    /// <summary>Mean over the requests of the client that floods, or that sent most, in seconds; null without clients.</summary>
    public double? FlooderTimeToFirstToken { get; init; }

    /// <summary>The same over everybody else's.</summary>
    public double? OthersTimeToFirstToken { get; init; }

    /// <summary>The 99th percentile over everybody else's.</summary>
    public double? OthersTimeToFirstTokenP99 { get; init; }

    /// <summary>How often a request gave up its place before its first token.</summary>
    public double Requeued { get; init; }

    /// <summary>How often an answer that had begun was stopped to go on later.</summary>
    public double Interrupted { get; init; }

    /// <summary>Tokens that the engines computed, those that were computed twice included.</summary>
    public double ComputedTokens { get; init; }
}
