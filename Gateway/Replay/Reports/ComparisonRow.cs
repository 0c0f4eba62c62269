using System.Globalization;

namespace Gateway.Replay.Reports;

/// <summary>One figure of a measured run beside the simulated one.</summary>
internal sealed record ComparisonRow(string Heading, string MeasuredText, string SimulatedText, double? Error)
{
    private static readonly ReportColumn[] Columns =
    [
        .. ReportColumn.Latency.Where(column => column.Title.StartsWith("TTFT", StringComparison.Ordinal) || column.Title.StartsWith("E2E ", StringComparison.Ordinal)),
        new("TPOT mean", "ms", Better.Neutral, run => run.TimePerOutputToken.Mean * 1000),
        new("TPOT p90", "ms", Better.Neutral, run => run.TimePerOutputToken.P90 * 1000),
        new("TPOT p99", "ms", Better.Neutral, run => run.TimePerOutputToken.P99 * 1000),
        new("duration", "s", Better.Neutral, run => run.DurationSeconds),
        new("output", "tok/s", Better.Neutral, run => run.OutputTokensPerSecond),
        new("most running", "", Better.Neutral, run => run.MaxRunning) { IsCount = true },
        new("most waiting", "", Better.Neutral, run => run.MaxWaiting) { IsCount = true },
    ];

    /// <summary>Simulated over measured less one, such as "+1.2 %".</summary>
    public string ErrorText => Error is { } error ? (error * 100).ToString("+0.0;−0.0;0.0", CultureInfo.InvariantCulture) + " %" : "–";

    public static IReadOnlyList<ComparisonRow> Of(MeasuredComparison comparison)
    {
        var rows = new List<ComparisonRow>(Columns.Length);
        foreach (var column in Columns.Where(column => column.IsTold([comparison.Measured])))
        {
            var measured = column.Value(comparison.Measured);
            var simulated = column.Value(comparison.Simulated);
            double? error = measured is { } truth && truth != 0 ? (simulated / truth) - 1 : null;
            rows.Add(new ComparisonRow(column.Heading, Text(column, measured), Text(column, simulated), error));
        }
        return rows;

        // Tails are shown without a mark: both sides have the same requests, however few.
        static string Text(ReportColumn column, double? value) =>
            value is not { } number ? "–" : column.IsCount ? ReportColumn.Count(number) : ReportColumn.Number(number);
    }
}
