using System.Globalization;
using Spectre.Console;

namespace Gateway.Replay.Reports;

/// <summary>How fast a replay itself ran, on the wall clock. For the terminal only, since no two runs agree on it.</summary>
public readonly record struct ReplayPace(TimeSpan RunTime, double DecisionsPerSecond);

/// <summary>The report on the terminal: policies as rows, the best value of a column marked, ratios to the first policy.</summary>
public static class ReportTable
{
    private const int PlainWidth = 400;

    /// <summary>Writes the tables; without a terminal behind the console as plain text, one row per line.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="report">What was found.</param>
    /// <param name="paces">One per run, in the order of the runs; empty: not told.</param>
    public static void Write(IAnsiConsole console, ReplayReport report, IReadOnlyList<ReplayPace> paces)
    {
        var plain = !console.Profile.Out.IsTerminal;
        if (plain)
        {
            console.Profile.Width = PlainWidth;
        }
        console.WriteLine($"trace {report.Trace} · fleet {report.Fleet} · SLO {report.Slo} · seed {report.Seed.ToString(CultureInfo.InvariantCulture)}");
        if (report.Runs.Count > 0)
        {
            var runs = report.Runs.Select(run => run.Summary).ToArray();
            WriteRuns(console, "Latency", report, runs, ReportColumn.Latency, [], plain);
            WriteRuns(console, "Work", report, runs, ReportColumn.Work, paces, plain);
            WriteNotes(console, runs);
        }
        WriteSweeps(console, report.Sweeps, plain);
        WriteBounds(console, report, plain);
        foreach (var comparison in report.Comparisons)
        {
            WriteComparison(console, comparison, plain);
        }
    }

    private static void WriteRuns(
        IAnsiConsole console, string title, ReplayReport report, RunSummary[] runs, IReadOnlyList<ReportColumn> columns, IReadOnlyList<ReplayPace> paces, bool plain)
    {
        var told = columns.Where(column => column.IsTold(runs)).ToArray();
        var best = told.Select(column => column.BestOf(runs)).ToArray();
        var table = NewTable(title, plain);
        foreach (var column in told)
        {
            AddNumberColumn(table, plain ? column.Heading : $"{column.Title}\n{column.Unit}");
        }
        if (paces.Count > 0)
        {
            AddNumberColumn(table, plain ? "run time [s]" : "run time\ns");
            AddNumberColumn(table, plain ? "decisions [1/s]" : "decisions\n1/s");
        }
        for (var i = 0; i < runs.Length; i++)
        {
            var cells = new List<Text> { new(report.Runs[i].Policy) };
            for (var c = 0; c < told.Length; c++)
            {
                cells.Add(Cell(told[c], runs, i, best[c], plain));
            }
            if (paces.Count > 0)
            {
                cells.Add(new Text(ReportColumn.Number(paces[i].RunTime.TotalSeconds)));
                cells.Add(new Text(ReportColumn.Count(paces[i].DecisionsPerSecond)));
            }
            table.AddRow(cells);
        }
        console.Write(table);
    }

    private static Text Cell(ReportColumn column, RunSummary[] runs, int index, string? best, bool plain)
    {
        var text = column.Text(runs[index]);
        var isBest = text == best;
        text += isBest ? "*" : "";
        if (column.Ratio(runs, index) is { } ratio)
        {
            text += (plain ? " " : "\n") + ratio;
        }
        return new Text(text, isBest ? new Style(Color.Green, decoration: Decoration.Bold) : Style.Plain);
    }

    private static void WriteNotes(IAnsiConsole console, RunSummary[] runs)
    {
        console.WriteLine("* best of the column; × ratio to the first policy");
        if (runs.Any(run => run.HasRoughPercentiles))
        {
            var fewest = RunSummary.FewestForPercentiles.ToString("#,##0", CultureInfo.InvariantCulture);
            console.WriteLine($"~ fewer than {fewest} completed requests: tails are rough, compare by means");
        }
    }

    private static void WriteSweeps(IAnsiConsole console, IReadOnlyList<SweepResult> sweeps, bool plain)
    {
        if (sweeps.Count == 0)
        {
            return;
        }
        var table = NewTable("Rate sweep", plain);
        foreach (var heading in new[] { "rate [req/s]", "TTFT mean [s]", "TTFT p99 [s]", "E2E mean [s]", "E2E p99 [s]", "goodput [req/s]" })
        {
            AddNumberColumn(table, heading);
        }
        foreach (var sweep in sweeps)
        {
            foreach (var point in sweep.Points)
            {
                var run = point.Summary;
                double?[] values = [point.OfferedRate, run.TimeToFirstToken.Mean, run.TimeToFirstToken.P99, run.EndToEnd.Mean, run.EndToEnd.P99, run.Goodput];
                table.AddRow([new Text(sweep.Policy), .. values.Select(value => new Text(value is { } number ? ReportColumn.Number(number) : "–"))]);
            }
        }
        console.Write(table);
    }

    private static void WriteBounds(IAnsiConsole console, ReplayReport report, bool plain)
    {
        var bounds = SweepBound.Of(report);
        if (report.Sweeps.Count == 0 || bounds.Count == 0)
        {
            return;
        }
        var table = NewTable("Highest rate [req/s] with", plain);
        foreach (var bound in bounds)
        {
            AddNumberColumn(table, bound.Heading);
        }
        for (var i = 0; i < report.Sweeps.Count; i++)
        {
            table.AddRow([new Text(report.Sweeps[i].Policy), .. bounds.Select(bound => new Text(bound.Text(i)))]);
        }
        console.Write(table);
    }

    private static void WriteComparison(IAnsiConsole console, MeasuredComparison comparison, bool plain)
    {
        var table = NewTable($"Measured against simulated: {comparison.Name}", plain);
        foreach (var heading in new[] { "measured", "simulated", "error" })
        {
            AddNumberColumn(table, heading);
        }
        foreach (var row in ComparisonRow.Of(comparison))
        {
            table.AddRow(new Text(row.Heading), new Text(row.MeasuredText), new Text(row.SimulatedText), new Text(row.ErrorText));
        }
        console.Write(table);
    }

    private static Table NewTable(string title, bool plain)
    {
        var table = new Table { Border = plain ? TableBorder.Markdown : TableBorder.Rounded };
        table.AddColumn(new TableColumn(new Text(title, new Style(decoration: Decoration.Bold))));
        return table;
    }

    private static void AddNumberColumn(Table table, string heading) => table.AddColumn(new TableColumn(new Text(heading)).RightAligned());
}
