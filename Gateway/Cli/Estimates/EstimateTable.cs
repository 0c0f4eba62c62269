using System.Globalization;
using Gateway.Replay.Estimates;
using Spectre.Console;

namespace Gateway.Cli.Estimates;

/// <summary>The evaluation on the terminal: estimators as rows over all, then one table per figure with sources as rows and estimators as columns.</summary>
internal static class EstimateTable
{
    private const int PlainWidth = 400;

    private static readonly (string Heading, Func<EstimateFigures, string> Text)[] Pooled =
    [
        ("rows", figures => Count(figures.Rows)),
        ("cut [%]", figures => Percent(figures.CensoredShare)),
        ("MAE [tok]", figures => Tokens(figures.MeanAbsoluteError)),
        ("|log ratio|", figures => Ratio(figures.MedianLogRatio)),
        ("tau model", figures => Ratio(figures.TauWithinModel)),
        ("tau app+model", figures => Ratio(figures.TauWithinApplication)),
        ("bucket [%]", figures => Percent(figures.RightBucketShare)),
        ("pinball 50", figures => Tokens(figures.MedianPinball)),
        ("pinball 90", figures => Tokens(figures.UpperPinball)),
        ("q50 covers [%]", figures => Percent(figures.MedianCoverage)),
        ("q90 covers [%]", figures => Percent(figures.UpperCoverage)),
    ];

    private static readonly (string Title, Func<EstimateFigures, string> Text)[] BySource =
    [
        ("MAE [tok]", figures => Tokens(figures.MeanAbsoluteError)),
        ("tau app+model", figures => Ratio(figures.TauWithinApplication)),
        ("q90 covers [%]", figures => Percent(figures.UpperCoverage)),
    ];

    /// <summary>Writes all tables; without a terminal behind the console as plain text, one row per line.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="report">What was found.</param>
    /// <param name="paces">Times of the estimators.</param>
    /// <param name="isByModel">Rows of the tables per source are models of sources.</param>
    public static void Write(IAnsiConsole console, EstimateReport report, IReadOnlyList<EstimatePace> paces, bool isByModel)
    {
        var plain = !console.Profile.Out.IsTerminal;
        if (plain)
        {
            console.Profile.Width = PlainWidth;
        }
        console.WriteLine($"{report.Method} · {Count(report.TrainingRows)} rows trained · seed {report.Seed.ToString(CultureInfo.InvariantCulture)} · five classes at {string.Join(", ", report.Buckets.Borders)} tokens");
        WritePooled(console, report, paces, plain);
        foreach (var (title, text) in BySource)
        {
            WriteBySource(console, report, title, text, isByModel, plain);
        }
        WriteSamples(console, report, plain);
        WriteRemaining(console, report, plain);
        WriteLeaveOut(console, report, plain);
        WriteTargets(console, EstimateTarget.Of(report), plain);
    }

    private static void WritePooled(IAnsiConsole console, EstimateReport report, IReadOnlyList<EstimatePace> paces, bool plain)
    {
        var table = NewTable("All rows", plain, [.. Pooled.Select(column => column.Heading), "estimate [µs]", "update [µs]"]);
        foreach (var forecaster in report.Forecasters)
        {
            var pace = paces.FirstOrDefault(pace => pace.Name == forecaster.Name && !forecaster.IsBaseline);
            table.AddRow(Cells([forecaster.Name, .. Pooled.Select(column => column.Text(forecaster.Pooled)), Microseconds(pace.Estimate), Microseconds(pace.Update)]));
        }
        console.Write(table);
    }

    private static void WriteBySource(IAnsiConsole console, EstimateReport report, string title, Func<EstimateFigures, string> text, bool isByModel, bool plain)
    {
        var table = NewTable(title, plain, ["rows", .. report.Forecasters.Select(forecaster => forecaster.Name)]);
        var rows = report.Forecasters.Select(forecaster => RowsOf(forecaster, isByModel).ToArray()).ToArray();
        for (var row = 0; row < rows[0].Length; row++)
        {
            table.AddRow(Cells([rows[0][row].Name, Count(rows[0][row].Figures.Rows), .. rows.Select(column => text(column[row].Figures))]));
        }
        console.Write(table);
    }

    private static IEnumerable<(string Name, EstimateFigures Figures)> RowsOf(ForecasterReport forecaster, bool isByModel) => forecaster.Sources.SelectMany(source =>
        isByModel ? source.Models.Select(model => ($"{source.Source} / {model.Model}", model.Figures)) : [(source.Source, source.Figures)]);

    private static void WriteSamples(IAnsiConsole console, EstimateReport report, bool plain)
    {
        var sampled = report.Forecasters[0].Sources.Select((source, index) => (source, index)).Where(entry => !double.IsNaN(entry.source.Figures.TauBetweenSamples)).ToArray();
        if (sampled.Length == 0)
        {
            return;
        }
        var table = NewTable("tau against the mean of the samples", plain, [.. report.Forecasters.Select(forecaster => forecaster.Name), "one sample against another"]);
        foreach (var (source, index) in sampled)
        {
            table.AddRow(Cells([source.Source, .. report.Forecasters.Select(forecaster => Ratio(forecaster.Sources[index].Figures.TauOfSampleMean)), Ratio(source.Figures.TauBetweenSamples)]));
        }
        console.Write(table);
    }

    private static void WriteRemaining(IAnsiConsole console, EstimateReport report, bool plain)
    {
        var headings = StreamPoints.Tokens.SelectMany(tokens => new[] { $"at {tokens}: first mean", $"at {tokens}: refined" });
        var table = NewTable("MAE of what remains [tok]", plain, [.. headings]);
        foreach (var forecaster in report.Forecasters.Where(forecaster => !forecaster.IsBaseline))
        {
            table.AddRow(Cells([forecaster.Name, .. forecaster.Pooled.Remaining.SelectMany(point => new[] { Tokens(point.Unrefined), Tokens(point.Refined) })]));
        }
        console.Write(table);
    }

    private static void WriteLeaveOut(IAnsiConsole console, EstimateReport report, bool plain)
    {
        foreach (var leftOut in report.LeaveOut)
        {
            var table = NewTable($"Unseen: {leftOut.Estimator}", plain, ["rows", "MAE [tok]", "others' median", "own running", "own by model", "under others [%]", "over own [%]", "q90 covers [%]"]);
            foreach (var file in leftOut.Files.Append(leftOut.Pooled))
            {
                table.AddRow(Cells(
                [
                    file.File, Count(file.Rows), Tokens(file.MeanAbsoluteError), Tokens(file.OthersMedianError), Tokens(file.OwnMedianError), Tokens(file.OwnModelMedianError),
                    Percent(1 - (file.MeanAbsoluteError / file.OthersMedianError)), Percent((file.MeanAbsoluteError / file.OwnMedianError) - 1), Percent(file.UpperCoverage),
                ]));
            }
            console.Write(table);
        }
    }

    private static void WriteTargets(IAnsiConsole console, IReadOnlyList<EstimateTarget> targets, bool plain)
    {
        var estimators = targets.Select(target => target.Estimator).Distinct().ToArray();
        var table = NewTable("Targets (* met)", plain, estimators);
        foreach (var target in targets.GroupBy(target => target.Name))
        {
            table.AddRow(Cells([target.Key, .. estimators.Select(name => target.Where(entry => entry.Estimator == name).Select(Reached).FirstOrDefault("–"))]));
        }
        console.Write(table);
    }

    private static string Reached(EstimateTarget target) => (target.Name.StartsWith("tau", StringComparison.Ordinal) ? Ratio(target.Value) : Percent(target.Value)) + (target.IsMet ? "*" : "");

    private static Table NewTable(string title, bool plain, IEnumerable<string> headings)
    {
        var table = new Table { Border = plain ? TableBorder.Markdown : TableBorder.Rounded };
        table.AddColumn(new TableColumn(new Text(title, new Style(decoration: Decoration.Bold))));
        foreach (var heading in headings)
        {
            table.AddColumn(new TableColumn(new Text(heading)).RightAligned());
        }
        return table;
    }

    private static IEnumerable<Text> Cells(IEnumerable<string> texts) => texts.Select(text => new Text(text));

    private static string Count(int value) => value.ToString("#,##0", CultureInfo.InvariantCulture);

    private static string Tokens(double value) => Told(value, "0.0");

    private static string Ratio(double value) => Told(value, "0.000");

    private static string Percent(double share) => Told(100 * share, "0.0");

    private static string Microseconds(TimeSpan? time) => time is { } span ? Told(span.TotalMicroseconds, "0.00") : "–";

    private static string Told(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "–";
}
