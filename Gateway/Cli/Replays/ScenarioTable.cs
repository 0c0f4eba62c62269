using System.Globalization;
using Gateway.Configuration;
using Gateway.Replay.Reports;
using Gateway.Replay.Scenarios;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary>Claims on the terminal, one row each; those that do not reproduce say so.</summary>
internal static class ScenarioTable
{
    private const int PlainWidth = 400;

    private static readonly string[] Numbers = ["baseline", "policy", "ratio", "published ratio", "holds in"];

    public static void Write(IAnsiConsole console, IReadOnlyList<ScenarioResult> results, bool isQuick)
    {
        var plain = !console.Profile.Out.IsTerminal;
        if (plain)
        {
            console.Profile.Width = PlainWidth;
        }
        var table = new Table { Border = plain ? TableBorder.Markdown : TableBorder.Rounded };
        table.AddColumns("system", "experiment", "policies", "metric", "expected");
        foreach (var heading in Numbers)
        {
            table.AddColumn(new TableColumn(heading).RightAligned());
        }
        foreach (var result in results)
        {
            table.AddRow([.. CellsOf(result).Select(text => new Text(text, result.IsReproduced ? Style.Plain : new Style(Color.Yellow)))]);
        }
        console.Write(table);
        var skipped = results.Where(result => result.Missing is not null).ToArray();
        console.WriteLine($"{Count(results.Count(result => result.IsReproduced))} of {Count(results.Count - skipped.Length)} claims hold in every seed. Times in seconds; arrivals are paired.");
        if (skipped.Length > 0)
        {
            var files = string.Join(", ", skipped.Select(result => result.Missing).Distinct());
            console.WriteLine($"Skipped: {Counted.Of(skipped.Length, "claim")}. Put these files into the folder that GATEWAY_DATA names (../shared/data without it): {files}.");
        }
        if (isQuick)
        {
            console.WriteLine("A quick run: few requests and two seeds, so that the figures prove nothing.");
        }
    }

    private static IEnumerable<string> CellsOf(ScenarioResult result) =>
    [
        result.File.System,
        result.Experiment.Name,
        $"{result.Experiment.Policy} against {result.Experiment.Baseline}",
        result.Claim.Metric,
        EnumWords.Of(result.Claim.Expect) + (result.Claim.Share is { } share ? Percent(share) : result.Claim.Most is { } most ? string.Create(CultureInfo.InvariantCulture, $" {most:0.##} times") : ""),
        Figure(result.Baseline),
        Figure(result.Policy),
        (result.Ratio is { } ratio ? ratio.ToString("0.00", CultureInfo.InvariantCulture) : "–") + (result.Recovered is { } recovered ? $" (recovers{Percent(recovered)})" : ""),
        result.Claim.Published ?? "–",
        result.Missing is { } file ? $"skipped: no {file}" : $"{Count(result.Holds)} of {Count(result.Pairs.Count)} seeds" + (result.IsReproduced ? "" : " (not reproduced)"),
    ];

    private static string Figure(double? value) => value is { } number ? ReportColumn.Number(number) : "–";

    private static string Percent(double value) => (100 * value).ToString(" 0", CultureInfo.InvariantCulture) + " %";

    private static string Count(int value) => value.ToString(CultureInfo.InvariantCulture);
}
