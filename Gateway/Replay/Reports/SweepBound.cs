namespace Gateway.Replay.Reports;

/// <summary>A latency that the run's limits bound, and the highest rate at which each swept policy kept it.</summary>
/// <param name="Metric">Latency and statistic, such as "ttft.p99".</param>
/// <param name="Heading">The bound in words.</param>
/// <param name="BoundSeconds">The limit.</param>
/// <param name="Rates">One per sweep of the report, in its order; null where no run kept the bound.</param>
internal sealed record SweepBound(string Metric, string Heading, double BoundSeconds, IReadOnlyList<RateAtBound?> Rates)
{
    /// <summary>Mean and p99 of every latency that has a limit; empty without limits.</summary>
    public static IReadOnlyList<SweepBound> Of(ReplayReport report)
    {
        var bounds = new List<SweepBound>();
        Add("ttft", "TTFT", report.Slo.TimeToFirstToken, run => run.TimeToFirstToken);
        Add("tpot", "TPOT", report.Slo.TimePerOutputToken, run => run.TimePerOutputToken);
        Add("e2e", "E2E", report.Slo.EndToEnd, run => run.EndToEnd);
        return bounds;

        void Add(string metric, string name, TimeSpan? limit, Func<RunSummary, LatencySummary> times)
        {
            if (limit is not { } bound)
            {
                return;
            }
            foreach (var (statistic, value) in new (string, Func<LatencySummary, double>)[] { ("mean", of => of.Mean), ("p99", of => of.P99) })
            {
                var rates = report.Sweeps.Select(sweep => sweep.RateWithin(run => value(times(run)), bound.TotalSeconds)).ToArray();
                bounds.Add(new SweepBound($"{metric}.{statistic}", $"{name} {statistic} ≤ {SloLimits.Text(bound)}", bound.TotalSeconds, rates));
            }
        }
    }

    /// <summary>The rate of one sweep, "≥" before one that the sweep did not find the end of.</summary>
    public string Text(int sweep) => Rates[sweep] is { } rate ? (rate.IsAtLeast ? "≥ " : "") + ReportColumn.Number(rate.Rate) : "–";
}
