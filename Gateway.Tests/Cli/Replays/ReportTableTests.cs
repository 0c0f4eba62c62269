using Gateway.Cli.Replays;
using Gateway.Replay.Reports;
using Gateway.Tests.Replay.Reports;
using Spectre.Console;

namespace Gateway.Tests.Cli.Replays;

public sealed class ReportTableTests
{
    [Fact]
    public void Write_WhenRedirected_IsOneLineOfPlainTextPerPolicy()
    {
        var lines = Written(MadeUpRuns.Report(3, 3_000), []);

        var row = Assert.Single(lines, line => line.StartsWith("| round_robin", StringComparison.Ordinal) && line.Contains("1.64 ×1.17", StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', row);
        Assert.Contains(lines, line => line.StartsWith("| default", StringComparison.Ordinal) && line.Contains("1.40*", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => line.Contains("run time", StringComparison.Ordinal));
    }

    [Fact]
    public void Write_WithPaces_TellsThem()
    {
        var lines = Written(MadeUpRuns.Report(1, 3_000), [new ReplayPace(TimeSpan.FromSeconds(2.5), 123_456.7)]);

        Assert.Contains(lines, line => line.Contains("2.50", StringComparison.Ordinal) && line.Contains("123,457", StringComparison.Ordinal));
    }

    [Fact]
    public void Write_OfAShortRun_MarksTailsAsRoughAndNoneAsTheBest()
    {
        var lines = Written(MadeUpRuns.Report(2, 300), []);

        Assert.Contains(lines, line => line.StartsWith("~ fewer than 2,000", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("| default", StringComparison.Ordinal) && line.Contains(" ~", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, line => System.Text.RegularExpressions.Regex.IsMatch(line, @"~[\d.,]+\*"));
    }

    [Fact]
    public void Write_OfNamesWithBrackets_ShowsThemAsTheyAre()
    {
        var report = MadeUpRuns.Report(1, 100, sweep: true, measured: true);

        var lines = Written(report with { Trace = "[red]x[/]", Runs = [report.Runs[0] with { Policy = "[bold]p" }] }, []);

        Assert.StartsWith("trace [red]x[/] ·", lines[0], StringComparison.Ordinal);
        Assert.Contains(lines, line => line.StartsWith("| [bold]p ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(0.009, false)]
    [InlineData(0.011, true)]
    public void Write_OfALoad_TellsHowItWentAndWarnsOfALateGenerator(double lateness, bool isWarned)
    {
        var load = new LoadFigures
        {
            Sent = 1_200,
            OfferedRate = 20,
            SentRate = 19.5,
            Lateness = new LatencySummary(1_200, 0.002, 0.001, 0.003, lateness, 0.052),
            MostOpen = 31,
            Failures = [new NamedCount("status 500", 7), new NamedCount("stream cut", 1)],
            Replicas = [new NamedCount("[a]", 1_192)],
        };

        var lines = Written(MadeUpRuns.Report(1, 3_000) with { Load = load }, []);

        Assert.Contains("requests             1,200 sent, at most 31 open at once", lines);
        Assert.Contains("rate                 20.0 req/s offered, 19.5 req/s sent", lines);
        Assert.Contains(lines, line => line.StartsWith("generator late by    mean 2.00 ms, p99 ", StringComparison.Ordinal) && line.EndsWith("max 52.0 ms", StringComparison.Ordinal));
        Assert.Contains("answers per replica  1,192 × [a]", lines);
        Assert.Contains("failures             7 × status 500, 1 × stream cut", lines);
        Assert.Equal(isWarned, lines.Any(line => line.StartsWith("The generator was too slow", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(0, "0")]
    [InlineData(0.00123, "0.0012")]
    [InlineData(0.2346, "0.235")]
    [InlineData(0.99951, "1.00")]
    [InlineData(12.345, "12.3")]
    [InlineData(99.96, "100")]
    [InlineData(1234567.8, "1,234,568")]
    public void Number_OfAnySize_HasAboutThreeDigits(double value, string text) => Assert.Equal(text, ReportColumn.Number(value));

    private static string[] Written(ReplayReport report, IReadOnlyList<ReplayPace> paces)
    {
        using var writer = new StringWriter();
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Ansi = AnsiSupport.No, Out = new AnsiConsoleOutput(writer) });
        ReportTable.Write(console, report, paces);
        return writer.ToString().ReplaceLineEndings("\n").Split('\n');
    }
}
