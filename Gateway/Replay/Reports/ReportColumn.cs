using System.Globalization;

namespace Gateway.Replay.Reports;

/// <summary>Which way a figure is better.</summary>
internal enum Better
{
    Lower,
    Higher,

    /// <summary>Neither: no best value and no ratio.</summary>
    Neutral,
}

/// <summary>One figure of a run as tables show it.</summary>
/// <param name="Title">What it is.</param>
/// <param name="Unit">Its unit; empty for counts and indices.</param>
/// <param name="Better">Which value is marked as the best.</param>
/// <param name="Value">In the unit shown; null where the run has none.</param>
internal sealed record ReportColumn(string Title, string Unit, Better Better, Func<RunSummary, double?> Value)
{
    /// <summary>Rests on the few requests at the tail, so is rough in short runs.</summary>
    public bool IsTail { get; init; }

    /// <summary>A whole number.</summary>
    public bool IsCount { get; init; }

    /// <summary>Title and unit in one line.</summary>
    public string Heading => Unit.Length == 0 ? Title : $"{Title} [{Unit}]";

    /// <summary>Latencies: the question most readers come with.</summary>
    public static IReadOnlyList<ReportColumn> Latency { get; } =
    [
        .. Times("TTFT", "s", 1, run => run.TimeToFirstToken),
        .. Times("E2E", "s", 1, run => run.EndToEnd),
        .. Times("TPOT", "ms", 1000, run => run.TimePerOutputToken).Where(column => column.Title is "TPOT mean" or "TPOT p99"),
        new("queue wait mean", "s", Better.Neutral, run => run.QueueWait.Mean),
        new("E2E/token mean", "ms", Better.Lower, run => run.NormalizedLatency.Mean * 1000),
    ];

    /// <summary>What the fleet got done, and how evenly.</summary>
    public static IReadOnlyList<ReportColumn> Work { get; } =
    [
        new("goodput", "req/s", Better.Higher, run => run.Goodput),
        new("good", "%", Better.Higher, run => run.GoodShare * 100),
        new("throughput", "req/s", Better.Higher, run => run.RequestsPerSecond),
        new("output", "tok/s", Better.Higher, run => run.OutputTokensPerSecond),
        new("preemptions", "", Better.Lower, run => run.Preemptions) { IsCount = true },
        new("KV mean", "%", Better.Neutral, run => run.KvUsageMean * 100),
        new("KV max", "%", Better.Neutral, run => run.KvUsageMax * 100),
        new("prefix hits", "%", Better.Higher, run => run.PrefixHitShare * 100),
        new("busy max/mean", "", Better.Lower, run => run.Imbalance?.BusyMaxOverMean),
        new("Jain", "", Better.Higher, run => run.Fairness?.JainIndex),
        new("refused", "", Better.Lower, run => run.Refused) { IsCount = true },
        new("too large", "", Better.Neutral, run => run.TooLarge) { IsCount = true },
        new("failed", "", Better.Lower, run => run.Failed) { IsCount = true },
    ];

    /// <summary>What a rate sweep is read for.</summary>
    public static IReadOnlyList<ReportColumn> Sweep { get; } =
    [
        .. Latency.Where(column => column.Title is "TTFT mean" or "TTFT p99" or "E2E mean" or "E2E p99"),
        .. Work.Where(column => column.Title is "goodput" or "output"),
    ];

    /// <summary>The rest, for those who look closer.</summary>
    public static IReadOnlyList<ReportColumn> Details { get; } =
    [
        new("completed", "", Better.Neutral, run => run.Completed) { IsCount = true },
        new("duration", "s", Better.Lower, run => run.DurationSeconds),
        new("TTFT max", "s", Better.Lower, run => run.TimeToFirstToken.Max) { IsTail = true },
        new("E2E max", "s", Better.Lower, run => run.EndToEnd.Max) { IsTail = true },
        new("TPOT p50", "ms", Better.Lower, run => run.TimePerOutputToken.P50 * 1000),
        new("TPOT p90", "ms", Better.Lower, run => run.TimePerOutputToken.P90 * 1000) { IsTail = true },
        new("TPOT max", "ms", Better.Lower, run => run.TimePerOutputToken.Max * 1000) { IsTail = true },
        new("queue wait p50", "s", Better.Neutral, run => run.QueueWait.P50),
        new("queue wait p99", "s", Better.Neutral, run => run.QueueWait.P99) { IsTail = true },
        new("E2E/token p99", "ms", Better.Lower, run => run.NormalizedLatency.P99 * 1000) { IsTail = true },
        new("all tokens", "tok/s", Better.Higher, run => run.TotalTokensPerSecond),
        new("cached prompt tokens", "%", Better.Higher, run => run.CachedTokenShare * 100),
        new("largest queue", "", Better.Neutral, run => run.MaxQueueDepth) { IsCount = true },
        new("most running on a replica", "", Better.Neutral, run => run.MaxRunning) { IsCount = true },
        new("most waiting in an engine", "", Better.Neutral, run => run.MaxWaiting) { IsCount = true },
        new("token variation of replicas", "", Better.Lower, run => run.Imbalance?.TokenVariation),
        new("clients", "", Better.Neutral, run => run.Fairness?.Clients) { IsCount = true },
        new("client TTFT max/min", "", Better.Lower, run => run.Fairness?.TimeToFirstTokenRatio),
        new("estimate error", "tokens", Better.Lower, run => run.EstimateError?.MeanAbsoluteTokens),
        new("answers within estimate", "%", Better.Neutral, run => run.EstimateError?.CoveredShare * 100),
        new("decisions", "", Better.Neutral, run => run.Decisions) { IsCount = true },
        new("engine steps", "", Better.Neutral, run => run.EngineSteps) { IsCount = true },
    ];

    /// <summary>The text of the best value; null where nothing is to be compared or no difference shows.</summary>
    public string? BestOf(IReadOnlyList<RunSummary> runs)
    {
        var known = runs.Where(run => Value(run) is not null).ToArray();
        if (Better == Better.Neutral || known.Length < 2 || (IsTail && known.Any(run => run.HasRoughPercentiles)))
        {
            return null;
        }
        var best = Text(Better == Better.Lower ? known.MinBy(Value)! : known.MaxBy(Value)!);
        return known.All(run => Text(run) == best) ? null : best;
    }

    /// <summary>The figure with about three significant digits; "–" where the run has none, "~" before a rough one.</summary>
    public string Text(RunSummary run)
    {
        var rough = IsTail && run.HasRoughPercentiles ? "~" : "";
        return Value(run) is { } value ? rough + (IsCount ? Count(value) : Number(value)) : "–";
    }

    /// <summary>A whole number, thousands set apart.</summary>
    public static string Count(double value) => value.ToString("#,##0", CultureInfo.InvariantCulture);

    /// <summary>The figure over the first run's, such as "×0.83"; null for the first run and where there is nothing to divide.</summary>
    public string? Ratio(IReadOnlyList<RunSummary> runs, int index)
    {
        if (index == 0 || Better == Better.Neutral || Value(runs[0]) is not { } first || Value(runs[index]) is not { } value || first == 0)
        {
            return null;
        }
        var ratio = value / first;
        return "×" + ratio.ToString(ratio < 9.995 ? "0.00" : ratio < 99.95 ? "0.0" : "0", CultureInfo.InvariantCulture);
    }

    /// <summary>Three significant digits, all of whole parts, no exponent, thousands set apart.</summary>
    public static string Number(double value)
    {
        var size = Math.Abs(value);
        var format = size >= 99.95 || value == 0 ? "#,##0" : size >= 9.995 ? "0.0" : size >= 0.9995 ? "0.00" : size >= 0.0995 ? "0.000" : "0.0000";
        return value.ToString(format, CultureInfo.InvariantCulture);
    }

    /// <summary>Whether any run has the figure, and it is not 0 in all of them.</summary>
    public bool IsTold(IReadOnlyList<RunSummary> runs) => runs.Any(run => Value(run) is { } value && value != 0);

    private static ReportColumn[] Times(string name, string unit, double factor, Func<RunSummary, LatencySummary> times) =>
    [
        new($"{name} mean", unit, Better.Lower, run => times(run).Mean * factor),
        new($"{name} p50", unit, Better.Lower, run => times(run).P50 * factor),
        new($"{name} p90", unit, Better.Lower, run => times(run).P90 * factor) { IsTail = true },
        new($"{name} p99", unit, Better.Lower, run => times(run).P99 * factor) { IsTail = true },
    ];
}
