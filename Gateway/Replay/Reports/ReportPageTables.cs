using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>The tables of the page.</summary>
internal static class ReportPageTables
{
    /// <summary>Policies as rows, figures as columns, ratios below the figures.</summary>
    public static void Policies(HtmlText page, string title, IReadOnlyList<PolicyRun> named, RunSummary[] runs, IReadOnlyList<ReportColumn> columns)
    {
        var told = columns.Where(column => column.IsTold(runs)).ToArray();
        var best = told.Select(column => column.BestOf(runs)).ToArray();
        page.Raw("<div class=\"wide\"><table>\n<thead><tr><th>").Text(title).Raw("</th>");
        foreach (var column in told)
        {
            page.Raw("<th>").Text(column.Title).Raw("<small>").Text(column.Unit).Raw("</small></th>");
        }
        page.Raw("</tr></thead>\n<tbody>\n");
        for (var i = 0; i < runs.Length; i++)
        {
            page.Raw("<tr><th>").Name(named[i].Policy).Raw("</th>");
            for (var c = 0; c < told.Length; c++)
            {
                Cell(page, told[c], runs, i, best[c]);
            }
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table></div>\n");
    }

    /// <summary>Every figure as a row, policies as columns.</summary>
    public static void Figures(HtmlText page, IReadOnlyList<PolicyRun> named, RunSummary[] runs)
    {
        page.Raw("<div class=\"wide\"><table>\n<thead><tr><th>Figure</th>");
        foreach (var run in named)
        {
            page.Raw("<th>").Name(run.Policy).Raw("</th>");
        }
        page.Raw("</tr></thead>\n<tbody>\n");
        foreach (var column in ReportColumn.Latency.Concat(ReportColumn.Work).Concat(ReportColumn.Details).Where(column => column.IsTold(runs)))
        {
            var best = column.BestOf(runs);
            page.Raw("<tr><th>").Text(column.Heading).Raw("</th>");
            for (var i = 0; i < runs.Length; i++)
            {
                Cell(page, column, runs, i, best);
            }
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table></div>\n");
    }

    /// <summary>One row per policy and priority class; nothing where there is only one class.</summary>
    public static void Classes(HtmlText page, IReadOnlyList<PolicyRun> named)
    {
        if (named.All(run => run.Summary.Classes.Count < 2))
        {
            return;
        }
        page.Raw("<div class=\"wide\"><table>\n<thead><tr><th>Priority class</th><th>class</th><th>requests</th>")
            .Raw("<th>TTFT p50<small>s</small></th><th>TTFT p99<small>s</small></th><th>E2E p50<small>s</small></th><th>E2E p99<small>s</small></th><th>good<small>%</small></th></tr></thead>\n<tbody>\n");
        foreach (var run in named)
        {
            foreach (var row in run.Summary.Classes)
            {
                page.Raw("<tr><th>").Name(run.Policy).Raw("</th><td>").Text(row.Priority.Word()).Raw("</td>");
                var mark = row.EndToEnd.Count < RunSummary.FewestForPercentiles ? "~" : "";
                Plain(page, ReportColumn.Count(row.EndToEnd.Count));
                Plain(page, ReportColumn.Number(row.TimeToFirstToken.P50));
                Plain(page, mark + ReportColumn.Number(row.TimeToFirstToken.P99));
                Plain(page, ReportColumn.Number(row.EndToEnd.P50));
                Plain(page, mark + ReportColumn.Number(row.EndToEnd.P99));
                Plain(page, row.GoodShare is { } good ? ReportColumn.Number(good * 100) : "–");
                page.Raw("</tr>\n");
            }
        }
        page.Raw("</tbody></table></div>\n");
    }

    /// <summary>The highest rate at which each policy kept each limit; nothing without limits.</summary>
    public static void Bounds(HtmlText page, ReplayReport report)
    {
        var bounds = SweepBound.Of(report);
        if (bounds.Count == 0)
        {
            return;
        }
        page.Raw("<div class=\"wide\"><table>\n<thead><tr><th>Highest rate with</th>");
        foreach (var bound in bounds)
        {
            page.Raw("<th>").Text(bound.Heading).Raw("<small>req/s</small></th>");
        }
        page.Raw("</tr></thead>\n<tbody>\n");
        for (var i = 0; i < report.Sweeps.Count; i++)
        {
            page.Raw("<tr><th>").Name(report.Sweeps[i].Policy).Raw("</th>");
            foreach (var bound in bounds)
            {
                Plain(page, bound.Text(i));
            }
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table></div>\n");
    }

    /// <summary>Figures measured, simulated, and how far apart.</summary>
    public static void Comparison(HtmlText page, MeasuredComparison comparison)
    {
        page.Raw("<div class=\"wide\"><table>\n<thead><tr><th>Figure</th><th>measured</th><th>simulated</th><th>error</th></tr></thead>\n<tbody>\n");
        foreach (var row in ComparisonRow.Of(comparison))
        {
            page.Raw("<tr><th>").Text(row.Heading).Raw("</th>");
            Plain(page, row.MeasuredText);
            Plain(page, row.SimulatedText);
            Plain(page, row.ErrorText);
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table></div>\n");
    }

    /// <summary>How the load on a real endpoint went.</summary>
    public static void Load(HtmlText page, LoadFigures load)
    {
        page.Raw("<section>\n").Element("h2", "Load on the endpoint").Raw("<div class=\"wide\"><table>\n<tbody>\n");
        foreach (var (name, value) in LoadRows.Of(load))
        {
            page.Raw("<tr><th>").Text(name).Raw("</th>");
            Plain(page, value);
            page.Raw("</tr>\n");
        }
        page.Raw("</tbody></table></div>\n");
        if (LoadRows.Warning(load) is { } warning)
        {
            page.Raw("<p class=\"note\">").Text(warning).Raw("</p>\n");
        }
        page.Raw("</section>\n");
    }

    private static void Cell(HtmlText page, ReportColumn column, RunSummary[] runs, int index, string? best)
    {
        var text = column.Text(runs[index]);
        page.Raw(text == best ? "<td class=\"best\">" : "<td>").Text(text);
        if (column.Ratio(runs, index) is { } ratio)
        {
            page.Raw("<small>").Text(ratio).Raw("</small>");
        }
        page.Raw("</td>");
    }

    private static void Plain(HtmlText page, string text) => page.Raw("<td>").Text(text).Raw("</td>");
}
