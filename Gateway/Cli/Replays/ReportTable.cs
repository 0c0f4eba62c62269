using System.Globalization;
using Gateway.Replay.Reports;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary>How fast a replay itself ran, on the wall clock. For the terminal only, since no two runs agree on it.</summary>
public readonly record struct ReplayPace(TimeSpan RunTime, double DecisionsPerSecond);

/// <summary>The report on the terminal: policies as rows, the best value of a column marked, ratios to the first policy.</summary>
public static class ReportTable
{
    private const int PlainWidth = 400;

    // A space on both sides and a line.
    private const int CellFrame = 3;

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
        if (report.Load is { } load)
        {
            WriteLoad(console, load);
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
        var shown = columns.Where(column => column.IsTold(runs)).Select(column => Shown(column, runs, plain)).ToList();
        if (paces.Count > 0)
        {
            shown.Add(new ShownColumn(plain ? "run time [s]" : "run time\ns", [.. paces.Select(pace => ReportColumn.Number(pace.RunTime.TotalSeconds))], []));
            shown.Add(new ShownColumn(plain ? "decisions [1/s]" : "decisions\n1/s", [.. paces.Select(pace => ReportColumn.Count(pace.DecisionsPerSecond))], []));
        }
        var first = report.Runs.Max(run => run.Policy.Length) + CellFrame + 1;
        for (var from = 0; from < shown.Count;)
        {
            var width = Math.Max(first, title.Length + CellFrame + 1);
            var table = NewTable(title, plain);
            var to = from;
            // What does not fit beside the names goes into a table of its own: wrapped figures cannot be read.
            while (to < shown.Count && (to == from || width + shown[to].Width + CellFrame <= console.Profile.Width))
            {
                width += shown[to].Width + CellFrame;
                AddNumberColumn(table, shown[to++].Heading);
            }
            for (var row = 0; row < runs.Length; row++)
            {
                table.AddRow([new Text(report.Runs[row].Policy), .. shown[from..to].Select(column => column.Cell(row))]);
            }
            console.Write(table);
            from = to;
        }
    }

    private static ShownColumn Shown(ReportColumn column, RunSummary[] runs, bool plain)
    {
        var best = column.BestOf(runs);
        var cells = new string[runs.Length];
        var marked = new List<int>();
        for (var row = 0; row < runs.Length; row++)
        {
            cells[row] = column.Text(runs[row]);
            if (cells[row] == best)
            {
                cells[row] += "*";
                marked.Add(row);
            }
            if (column.Ratio(runs, row) is { } ratio)
            {
                cells[row] += (plain ? " " : "\n") + ratio;
            }
        }
        return new ShownColumn(plain ? column.Heading : $"{column.Title}\n{column.Unit}", cells, marked);
    }

    private static void WriteLoad(IAnsiConsole console, LoadFigures load)
    {
        foreach (var (name, value) in LoadRows.Of(load))
        {
            console.WriteLine($"{name,-20} {value}");
        }
        if (LoadRows.Warning(load) is { } warning)
        {
            console.WriteLine(warning, new Style(Color.Yellow));
        }
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
        AddNumberColumn(table, "rate [req/s]");
        var columns = ReportColumn.Sweep;
        foreach (var column in columns)
        {
            AddNumberColumn(table, column.Heading);
        }
        foreach (var sweep in sweeps)
        {
            foreach (var point in sweep.Points)
            {
                var run = point.Summary;
                table.AddRow([new Text(sweep.Policy), new Text(ReportColumn.Number(point.OfferedRate)), .. columns.Select(column => new Text(column.Text(run)))]);
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

    /// <summary>A column as text, with the rows that hold the best value.</summary>
    private sealed record ShownColumn(string Heading, string[] Cells, List<int> Best)
    {
        public int Width { get; } = Cells.Append(Heading).SelectMany(text => text.Split('\n')).Max(line => line.Length);

        public Text Cell(int row) => new(Cells[row], Best.Contains(row) ? new Style(Color.Green, decoration: Decoration.Bold) : Style.Plain);
    }
}
