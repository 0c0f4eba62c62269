using System.Globalization;
using System.Text;

namespace Gateway.Replay.Reports;

/// <summary>
/// The report as one self-contained page: style, script and figures inline, nothing fetched. Equal reports are equal bytes.
/// Tables are plain HTML; the curves are drawn by the script from the figures in the page.
/// </summary>
public static class ReportPage
{
    /// <summary>The page, UTF-8.</summary>
    public static byte[] Write(ReplayReport report)
    {
        var page = new HtmlText();
        page.Raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
        page.Element("title", $"Replay of {report.Trace}");
        page.Raw("<style>\n/*<![CDATA[*/\n").Raw(Resource("report.css")).Raw("/*]]>*/\n</style>\n</head>\n<body>\n");
        WriteHeader(page, report);
        page.Raw("<main>\n");
        if (report.Runs.Count > 0)
        {
            WriteTables(page, report);
        }
        if (report.Load is { } load)
        {
            ReportPageTables.Load(page, load);
        }
        page.Raw("<div id=\"legend\"></div>\n");
        if (report.Runs.Count > 0)
        {
            WriteCurves(page);
        }
        if (report.Sweeps.Count > 0)
        {
            page.Raw("<section>\n").Element("h2", "Rate sweep");
            Charts(page, "sweep:ttft.mean", "sweep:ttft.p99", "sweep:e2e.mean", "sweep:e2e.p99", "sweep:goodput", "sweep:outputTokensPerSecond");
            ReportPageTables.Bounds(page, report);
            page.Raw("</section>\n");
        }
        for (var i = 0; i < report.Comparisons.Count; i++)
        {
            WriteComparison(page, report.Comparisons[i], i);
        }
        page.Raw("</main>\n<noscript><p>The curves need JavaScript; the tables do not.</p></noscript>\n");
        page.Raw("<script type=\"application/json\" id=\"figures\">").Raw(Encoding.UTF8.GetString(ReportJson.WriteCompact(report))).Raw("</script>\n");
        page.Raw("<script>\n//<![CDATA[\n").Raw(Resource("report.js")).Raw("//]]>\n</script>\n</body>\n</html>\n");
        return Encoding.UTF8.GetBytes(page.ToString());
    }

    private static void WriteHeader(HtmlText page, ReplayReport report)
    {
        page.Raw("<header>\n").Element("h1", $"Replay of {report.Trace}").Raw("<dl>\n");
        Fact("Fleet", report.Fleet);
        Fact("SLO", report.Slo.ToString());
        Fact("Seed", report.Seed.ToString(CultureInfo.InvariantCulture));
        if (report.Runs.Count > 0)
        {
            Fact("Requests", ReportColumn.Count(report.Runs[0].Summary.Requests));
        }
        page.Raw("</dl>\n</header>\n");

        void Fact(string name, string value) => page.Raw("<div>").Element("dt", name).Element("dd", value).Raw("</div>\n");
    }

    private static void WriteTables(HtmlText page, ReplayReport report)
    {
        var runs = report.Runs.Select(run => run.Summary).ToArray();
        page.Raw("<section>\n").Element("h2", "Policies");
        ReportPageTables.Policies(page, "Latency", report.Runs, runs, ReportColumn.Latency);
        ReportPageTables.Policies(page, "Work", report.Runs, runs, ReportColumn.Work);
        page.Raw("<p class=\"note\">Bold: best of the column. ×: ratio to the first policy. TTFT and E2E count from arrival, queueing included; ")
            .Raw("TPOT = (last − first token) / (output tokens − 1).");
        if (runs.Any(run => run.HasRoughPercentiles))
        {
            page.Raw(" ~: fewer than ").Text(ReportColumn.Count(RunSummary.FewestForPercentiles)).Raw(" completed requests, tails are rough: compare by means.");
        }
        page.Raw("</p>\n<details>\n<summary>All figures</summary>\n");
        ReportPageTables.Figures(page, report.Runs, runs);
        ReportPageTables.Classes(page, report.Runs);
        page.Raw("</details>\n</section>\n");
    }

    private static void WriteCurves(HtmlText page)
    {
        page.Raw("<section>\n").Element("h2", "Distributions");
        Charts(page, "cdf:ttft", "cdf:e2e", "cdf:tpot");
        page.Raw("</section>\n<section>\n").Element("h2", "Over time");
        Charts(page, "time:queueDepth", "time:waiting", "time:running", "time:kvUsage", "time:completedPerSecond");
        page.Raw("</section>\n");
    }

    private static void WriteComparison(HtmlText page, MeasuredComparison comparison, int index)
    {
        var at = index.ToString(CultureInfo.InvariantCulture);
        page.Raw("<section>\n").Element("h2", $"Measured against simulated: {comparison.Name}");
        Charts(page, $"pair:{at}:ttft", $"pair:{at}:e2e", $"pair:{at}:tpot");
        // A measured run often has no record of the engine's state: a flat line at 0 would look like one.
        if (Array.Exists(comparison.Measured.Timeline.Running, running => running > 0))
        {
            Charts(page, $"pairtime:{at}:running", $"pairtime:{at}:waiting", $"pairtime:{at}:kvUsage");
        }
        ReportPageTables.Comparison(page, comparison);
        page.Raw("</section>\n");
    }

    private static void Charts(HtmlText page, params ReadOnlySpan<string> charts)
    {
        page.Raw("<div class=\"charts\">\n");
        foreach (var chart in charts)
        {
            page.Raw("<figure data-chart=\"").Text(chart).Raw("\"></figure>\n");
        }
        page.Raw("</div>\n");
    }

    private static string Resource(string name)
    {
        using var stream = typeof(ReportPage).Assembly.GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"The assembly lacks its resource {name}.");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd();
    }
}
