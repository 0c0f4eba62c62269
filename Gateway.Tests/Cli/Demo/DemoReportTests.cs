using Gateway.Cli.Demo;

namespace Gateway.Tests.Cli.Demo;

public class DemoReportTests
{
    [Fact]
    public void Lines_OfGoodAndFailedRequests_TellBoth()
    {
        DemoResult[] results =
        [
            .. Enumerable.Range(1, 10).Select(i => Good("engine-1", 10 * i)),
            Good("engine-2", 1_000) with { CachedTokens = 0 },
            Good("engine-2", 5) with { Failure = "status 503", Replica = null },
        ];

        var lines = DemoReport.Lines(results, TimeSpan.FromSeconds(2)).ToArray();

        Assert.Contains("requests     12 in 2.0 s, 12 of them streamed", lines);
        Assert.Contains("failures     1", lines);
        Assert.Contains("    1 x status 503", lines);
        Assert.Contains("TTFT         p50 60 ms, p90 100 ms, p99 1000 ms", lines);
        Assert.Contains("tokens       1,100 in, 550 out, 275 out per second", lines);
        Assert.Contains(lines, line => line.StartsWith("engine-1 ", StringComparison.Ordinal) && line.Contains("91 %", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.StartsWith("engine-2 ", StringComparison.Ordinal) && line.Contains(" 0 %", StringComparison.Ordinal));
    }

    [Fact]
    public void Lines_WhenEverythingFailed_StillTellHowMuch()
    {
        DemoResult[] results = [Good("engine-1", 1) with { Failure = "stream cut" }];

        var lines = DemoReport.Lines(results, TimeSpan.FromSeconds(1)).ToArray();

        Assert.Contains("failures     1", lines);
        Assert.Contains("TTFT         -", lines);
    }

    private static DemoResult Good(string replica, double milliseconds) => new()
    {
        Tenant = "acme",
        IsStreamed = true,
        Replica = replica,
        TimeToFirstToken = TimeSpan.FromMilliseconds(milliseconds),
        Latency = TimeSpan.FromMilliseconds(2 * milliseconds),
        PromptTokens = 100,
        CachedTokens = 50,
        OutputTokens = 50,
    };
}
