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

    private static readonly (string Heading, Func<LeaveOutFigures, string> Text)[] Unseen =
    [
        ("rows", figures => Count(figures.Rows)),
        ("MAE [tok]", figures => Tokens(figures.MeanAbsoluteError)),
        ("others' median", figures => Tokens(figures.OthersMedianError)),
        ("own running", figures => Tokens(figures.OwnMedianError)),
        ("own by model", figures => Tokens(figures.OwnModelMedianError)),
        ("under others [%]", figures => Percent(1 - (figures.MeanAbsoluteError / figures.OthersMedianError))),
        ("over own [%]", figures => Percent((figures.MeanAbsoluteError / figures.OwnMedianError) - 1)),
        ("q90 covers [%]", figures => Percent(figures.UpperCoverage)),
    ];

    /// <summary>Writes all tables; without a terminal behind the console as plain text, one row per line.</summary>
    /// <param name="console">Where to.</param>
    /// <param name="report">What was found.</param>
    /// <param name="paces">Times on the wall clock.</param>
    /// <param name="isByModel">Rows of the tables per source are models of sources.</param>
    public static void Write(IAnsiConsole console, EstimateReport report, EstimatePaces paces, bool isByModel)
    {
        if (!console.Profile.Out.IsTerminal)
        {
            console.Profile.Width = PlainWidth;
        }
        var borders = string.Join(", ", report.Buckets.Borders);
        console.WriteLine($"{report.Method} · {Count(report.TrainingRows)} rows trained · seed {report.Seed.ToString(CultureInfo.InvariantCulture)} · five classes at {borders} tokens");
        WritePooled(console, report, paces);
        WriteBySource(console, report, isByModel);
        WriteSamples(console, report);
        WriteRemaining(console, report);
        foreach (var leftOut in report.LeaveOut)
        {
            LeaveOutFigures[] files = [.. leftOut.Files, leftOut.Pooled];
            FittingTable.Write(console, $"Unseen: {leftOut.Estimator}", [.. files.Select(file => file.File)], [.. Unseen.Select(column => new FigureColumn(column.Heading, [.. files.Select(column.Text)]))]);
        }
        WriteTargets(console, EstimateTarget.Of(report));
    }

    private static void WritePooled(IAnsiConsole console, EstimateReport report, EstimatePaces paces)
    {
        var timed = report.Forecasters.Select(forecaster => paces.Estimators.FirstOrDefault(pace => pace.Name == forecaster.Name && !forecaster.IsBaseline)).ToArray();
        FittingTable.Write(console, "All rows", Names(report),
        [
            .. Pooled.Select(column => new FigureColumn(column.Heading, [.. report.Forecasters.Select(forecaster => column.Text(forecaster.Pooled))])),
            new FigureColumn("estimate [µs]", [.. timed.Select(pace => Microseconds(pace.EstimateMicroseconds))]),
            new FigureColumn("update [µs]", [.. timed.Select(pace => Microseconds(pace.UpdateMicroseconds))]),
        ]);
        if (paces.ReadingMicroseconds is { } reading)
        {
            console.WriteLine($"understanding a request's body: {Microseconds(reading)} µs");
        }
    }

    private static void WriteBySource(IAnsiConsole console, EstimateReport report, bool isByModel)
    {
        var rows = report.Forecasters.Select(forecaster => RowsOf(forecaster, isByModel).ToArray()).ToArray();
        foreach (var (title, text) in BySource)
        {
            FittingTable.Write(console, title, [.. rows[0].Select(row => row.Name)],
            [
                new FigureColumn("rows", [.. rows[0].Select(row => Count(row.Figures.Rows))]),
                .. rows.Select((column, index) => new FigureColumn(report.Forecasters[index].Name, [.. column.Select(row => text(row.Figures))])),
            ]);
        }
    }

    private static IEnumerable<(string Name, EstimateFigures Figures)> RowsOf(ForecasterReport forecaster, bool isByModel) => forecaster.Sources.SelectMany(source =>
        isByModel ? source.Models.Select(model => ($"{source.Source} / {model.Model}", model.Figures)) : [(source.Source, source.Figures)]);

    private static void WriteSamples(IAnsiConsole console, EstimateReport report)
    {
        var sources = report.Forecasters[0].Sources;
        var sampled = Enumerable.Range(0, sources.Count).Where(index => !double.IsNaN(sources[index].Figures.TauBetweenSamples)).ToArray();
        if (sampled.Length > 0)
        {
            FittingTable.Write(console, "tau against the mean of the samples", [.. sampled.Select(index => sources[index].Source)],
            [
                .. report.Forecasters.Select(forecaster => new FigureColumn(forecaster.Name, [.. sampled.Select(index => Ratio(forecaster.Sources[index].Figures.TauOfSampleMean))])),
                new FigureColumn("one sample against another", [.. sampled.Select(index => Ratio(sources[index].Figures.TauBetweenSamples))]),
            ]);
        }
    }

    private static void WriteRemaining(IAnsiConsole console, EstimateReport report)
    {
        var estimators = report.Forecasters.Where(forecaster => !forecaster.IsBaseline).ToArray();
        FittingTable.Write(console, "MAE of what remains [tok]", [.. estimators.Select(estimator => estimator.Name)],
        [
            .. StreamPoints.Tokens.SelectMany((tokens, point) => new[]
            {
                new FigureColumn($"at {tokens}: first mean", [.. estimators.Select(estimator => Tokens(estimator.Pooled.Remaining[point].Unrefined))]),
                new FigureColumn($"at {tokens}: refined", [.. estimators.Select(estimator => Tokens(estimator.Pooled.Remaining[point].Refined))]),
            }),
        ]);
    }

    private static void WriteTargets(IAnsiConsole console, IReadOnlyList<EstimateTarget> targets)
    {
        var names = targets.Select(target => target.Name).Distinct().ToArray();
        FittingTable.Write(console, "Targets (* met)", names,
        [
            .. targets.GroupBy(target => target.Estimator).Select(estimator => new FigureColumn(
                estimator.Key, [.. names.Select(name => Reached(estimator.First(target => target.Name == name)))])),
        ]);
    }

    private static string Reached(EstimateTarget target) => (target.IsCorrelation ? Ratio(target.Value) : Percent(target.Value) + " %") + (target.IsMet ? "*" : "");

    private static string[] Names(EstimateReport report) => [.. report.Forecasters.Select(forecaster => forecaster.Name)];

    private static string Count(int value) => value.ToString("#,##0", CultureInfo.InvariantCulture);

    private static string Tokens(double value) => Told(value, "0.0");

    private static string Ratio(double value) => Told(value, "0.000");

    private static string Percent(double share) => Told(100 * share, "0.0");

    private static string Microseconds(double? time) => Told(time ?? double.NaN, "0.00");

    private static string Told(double value, string format) => double.IsFinite(value) ? value.ToString(format, CultureInfo.InvariantCulture) : "–";
}
