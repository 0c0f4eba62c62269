using System.Globalization;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Spectre.Console;

namespace Gateway.Cli.Probes;

/// <summary>What was probed: a row per replica, then what to do, one line each.</summary>
internal static class ProbeTable
{
    private static readonly string[] Columns = ["pool", "replica", "answers", "engine", "model", "metrics", "context", "priority", "clock"];

    private const string Unknown = "?";
    private const string SameClock = "same";
    private const int PlainWidth = 200;

    /// <returns>How many things must be fixed.</returns>
    public static int Write(IAnsiConsole console, IReadOnlyList<ProbedReplica> fleet)
    {
        var findings = fleet.SelectMany(probed => ProbeRules.Of(probed).Select(finding => (probed.Id, Finding: finding))).ToArray();
        var plain = !console.Profile.Out.IsTerminal;
        console.Profile.Width = plain ? Math.Max(console.Profile.Width, PlainWidth) : console.Profile.Width;
        var table = new Table { Border = plain ? TableBorder.Markdown : TableBorder.Rounded };
        var rows = fleet.Select(Cells).ToArray();
        var shown = Enumerable.Range(0, Columns.Length).Where(column => IsWorthShowing(column, rows)).ToArray();
        foreach (var column in shown)
        {
            // An id in three pieces is not found again; pools and engines may take two lines.
            table.AddColumn(new TableColumn(Columns[column]) { NoWrap = Columns[column] is not ("pool" or "engine") });
        }
        foreach (var row in rows)
        {
            table.AddRow([.. shown.Select(column => new Text(OneLine.Of(row[column])))]);
        }
        console.Write(table);
        WriteFindings(console, "Must be fixed", [.. findings.Where(found => found.Finding.MustBeFixed)]);
        WriteFindings(console, "Worth a look", [.. findings.Where(found => !found.Finding.MustBeFixed)]);
        return findings.Count(found => found.Finding.MustBeFixed);
    }

    // All columns together are wider than many a terminal, and these two seldom tell anything.
    private static bool IsWorthShowing(int column, string[][] rows) =>
        Columns[column] is not ("priority" or "clock") || rows.Any(row => row[column] is not (Unknown or SameClock));

    private static void WriteFindings(IAnsiConsole console, string title, IReadOnlyList<(string Id, ProbeFinding Finding)> findings)
    {
        if (findings.Count == 0)
        {
            return;
        }
        // Written without Spectre: it would wrap long lines, which then could not be searched or copied whole.
        var output = console.Profile.Out.Writer;
        output.WriteLine();
        output.WriteLine(title + ":");
        foreach (var (id, finding) in findings)
        {
            output.WriteLine($"  {id}: {OneLine.Of(finding.What)}. {OneLine.Of(finding.Fix)}");
        }
    }

    private static string[] Cells(ProbedReplica probed)
    {
        var report = probed.Facts?.Report ?? EngineReport.Empty;
        return !probed.Answers ? [probed.Model.Name, probed.Id, "no", Unknown, Unknown, Unknown, Unknown, Unknown, Unknown] :
        [
            probed.Model.Name,
            probed.Id,
            "yes",
            $"{EnumWords.Of(probed.Kind)} {report.Version}".TrimEnd(),
            ProbeRules.Serves(probed) is { } serves ? serves ? "yes" : "no" : Unknown,
            probed.Load?.Outcome == ReadingOutcome.Read ? "yes" : "no",
            report.ContextTokens is { } tokens ? tokens.ToString(CultureInfo.InvariantCulture) : Unknown,
            report.Priority == EnginePriority.Auto ? Unknown : EnumWords.Of(report.Priority),
            probed.ClockSkewSeconds is { } skew ? Math.Abs(skew) <= ProbeRules.SameClockSeconds ? SameClock : string.Create(CultureInfo.InvariantCulture, $"{skew:+0;-0} s") : Unknown,
        ];
    }
}
