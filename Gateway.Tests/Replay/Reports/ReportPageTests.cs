using System.Text;
using System.Xml;
using System.Xml.Linq;
using Gateway.Replay.Reports;

namespace Gateway.Tests.Replay.Reports;

public sealed class ReportPageTests
{
    [Fact]
    public void Write_OfEverything_IsWellFormedAndHasItsParts()
    {
        var page = Parse(ReportPage.Write(MadeUpRuns.Report(3, 3_000, sweep: true, measured: true)));

        var charts = page.Descendants("figure").Select(figure => figure.Attribute("data-chart")!.Value).ToArray();
        Assert.Contains("cdf:ttft", charts);
        Assert.Contains("time:kvUsage", charts);
        Assert.Contains("sweep:goodput", charts);
        Assert.Contains("pair:0:e2e", charts);
        Assert.Contains(page.Descendants("tr"), row => (string?)row.Element("th") == "round_robin" && row.Elements("td").Any());
        Assert.Contains(page.Descendants("th"), head => head.Value == "TTFT p99 ≤ 2 sreq/s");
    }

    [Fact]
    public void Write_OfAReport_FetchesNothing()
    {
        var page = Parse(ReportPage.Write(MadeUpRuns.Report(2, 100)));

        Assert.DoesNotContain(page.Descendants(), element => element.Attribute("src") is not null || element.Attribute("href") is not null);
        Assert.DoesNotContain("@import", page.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("url(", page.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("fetch(", page.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfHostileNames_EscapesThem()
    {
        const string hostile = "</script><img src=x onerror='alert(1)'>&\"\u0001";
        var report = MadeUpRuns.Report(2, 100, measured: true);
        report = report with
        {
            Trace = hostile,
            Fleet = hostile,
            Runs = [.. report.Runs.Select(run => run with { Policy = hostile })],
            Comparisons = [.. report.Comparisons.Select(comparison => comparison with { Name = hostile })],
        };

        var bytes = ReportPage.Write(report);

        Assert.DoesNotContain("<img", Encoding.UTF8.GetString(bytes), StringComparison.Ordinal);
        Assert.Equal(2, Parse(bytes).Descendants("script").Count());
        Assert.Contains("</script><img src=x onerror='alert(1)'>&\" ", (string)Parse(bytes).Descendants("h1").Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void Write_OfTenPoliciesWithASweep_StaysUnderAMegabyte()
    {
        var bytes = ReportPage.Write(MadeUpRuns.Report(10, 5_000, sweep: true, measured: true));

        Assert.InRange(bytes.Length, 50_000, 1_000_000);
    }

    [Fact]
    public void Write_OfEqualRuns_IsEqualBytes()
    {
        var first = ReportPage.Write(MadeUpRuns.Report(2, 500, sweep: true, measured: true));
        var second = ReportPage.Write(MadeUpRuns.Report(2, 500, sweep: true, measured: true));

        Assert.Equal(first, second);
    }

    [Fact]
    public void Write_OfARunWithoutRequests_IsAPage()
    {
        var empty = new RunStatistics(SloLimits.None);
        empty.OnEnd(TimeSpan.Zero, 0, []);

        var page = Parse(ReportPage.Write(new ReplayReport { Trace = "none", Fleet = "none", Runs = [new PolicyRun("default", empty.Summarize())] }));

        Assert.Contains("Replay of none", page.Descendants("h1").Single().Value, StringComparison.Ordinal);
    }

    private static XDocument Parse(byte[] page)
    {
        using var reader = XmlReader.Create(new MemoryStream(page), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore });
        return XDocument.Load(reader);
    }
}
