using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Http;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Gateway.Tests.Telemetry;

public sealed class PrometheusPageTests : IDisposable
{
    private readonly string _name = $"test.{Guid.NewGuid():N}";
    private readonly SetTime _time = new();
    private readonly PrometheusPage _page;
    private readonly Meter _meter;
    private readonly MeterProvider _provider;

    public PrometheusPageTests()
    {
        _page = new PrometheusPage(_time);
        _meter = new Meter(_name);
        _provider = Sdk.CreateMeterProviderBuilder().AddMeter(_name, _name + ".twin").AddPrometheusPull(_page).Build();
    }

    [Fact]
    public async Task Collect_AsText_IsTheGoldenPage()
    {
        RecordSamples();

        var page = await ScrapeAsync(PrometheusFormat.Text);

        Assert.Equal(
            """
            # TYPE shop_orders_total counter
            # HELP shop_orders_total Orders "so far".\nTwo lines, one \\.
            shop_orders_total{kind="a \"quoted\"\nline\\",region_name="eu"} 3
            shop_orders_total{kind="b"} 2
            # TYPE shop_wait_seconds histogram
            # HELP shop_wait_seconds Waiting.
            shop_wait_seconds_bucket{le="0.1"} 1
            shop_wait_seconds_bucket{le="2"} 2
            shop_wait_seconds_bucket{le="+Inf"} 3
            shop_wait_seconds_sum 9.5625
            shop_wait_seconds_count 3
            # TYPE shop_open gauge
            shop_open -4
            # TYPE shop_load_ratio gauge
            shop_load_ratio NaN
            # TYPE shop_received_bytes_total counter
            shop_received_bytes_total 1.5

            """, page);
    }

    [Theory]
    [InlineData(PrometheusFormat.Text, "orders_total")]
    [InlineData(PrometheusFormat.OpenMetrics, "orders")]
    public async Task Collect_OfKnownMetricsWithoutSeries_NamesThemOnce(PrometheusFormat format, string orders)
    {
        MetricDefinition[] known = [new("shop.orders", "{order}", MetricKind.Counter, [], "Orders."), new("shop.hold", "s", MetricKind.Histogram, [], "Holding.")];
        using var page = new PrometheusPage(_time) { Known = known };
        using var provider = Sdk.CreateMeterProviderBuilder().AddMeter(_name).AddPrometheusPull(page).Build();
        RecordSamples();

        var text = Encoding.UTF8.GetString((await page.CollectAsync(format, CancellationToken.None))!.Value.Span);

        Assert.Single(text.Split('\n'), line => line == $"# TYPE shop_{orders} counter");
        Assert.Contains("# TYPE shop_hold_seconds histogram\n", text, StringComparison.Ordinal);
        Assert.Contains("# HELP shop_hold_seconds Holding.\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("\nshop_hold", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Collect_AsOpenMetrics_IsTheGoldenPage()
    {
        RecordSamples();

        var page = await ScrapeAsync(PrometheusFormat.OpenMetrics);

        Assert.Equal(
            """
            # TYPE shop_orders counter
            # HELP shop_orders Orders \"so far\".\nTwo lines, one \\.
            shop_orders_total{kind="a \"quoted\"\nline\\",region_name="eu"} 3
            shop_orders_total{kind="b"} 2
            # TYPE shop_wait_seconds histogram
            # UNIT shop_wait_seconds seconds
            # HELP shop_wait_seconds Waiting.
            shop_wait_seconds_bucket{le="0.1"} 1
            shop_wait_seconds_bucket{le="2"} 2
            shop_wait_seconds_bucket{le="+Inf"} 3
            shop_wait_seconds_sum 9.5625
            shop_wait_seconds_count 3
            # TYPE shop_open gauge
            shop_open -4
            # TYPE shop_load_ratio gauge
            # UNIT shop_load_ratio ratio
            shop_load_ratio NaN
            # TYPE shop_received_bytes counter
            # UNIT shop_received_bytes bytes
            shop_received_bytes_total 1.5
            # EOF

            """, page);
    }

    [Fact]
    public async Task Collect_TwoMetersWithOneName_ShowsOneFamilyAndNoSeriesTwice()
    {
        using var twin = new Meter(_name + ".twin");
        _meter.CreateCounter<long>("shop.visits").Add(1, new KeyValuePair<string, object?>("door", "north"));
        twin.CreateCounter<long>("shop.visits").Add(5, new KeyValuePair<string, object?>("door", "north"));
        twin.CreateCounter<long>("shop_visits").Add(7, new KeyValuePair<string, object?>("door", "south"));

        var page = await ScrapeAsync(PrometheusFormat.Text);

        Assert.Equal("# TYPE shop_visits_total counter\nshop_visits_total{door=\"north\"} 1\nshop_visits_total{door=\"south\"} 7\n", page);
    }

    [Fact]
    public async Task Collect_ManyScrapesAtOnce_ShareOneCollection()
    {
        var asked = 0;
        _meter.CreateObservableGauge("shop.asked", () => Interlocked.Increment(ref asked));

        var pages = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => ScrapeAsync(PrometheusFormat.Text))));

        Assert.Equal(1, asked);
        Assert.All(pages, page => Assert.Contains("shop_asked 1\n", page, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Collect_OnceThePageIsOld_CollectsAnew()
    {
        var asked = 0;
        _meter.CreateObservableGauge("shop.asked", () => ++asked);
        await ScrapeAsync(PrometheusFormat.Text);
        _time.Advance(PrometheusPage.SharedFor - TimeSpan.FromTicks(1));
        var young = await ScrapeAsync(PrometheusFormat.Text);
        _time.Advance(TimeSpan.FromTicks(1));

        var old = await ScrapeAsync(PrometheusFormat.Text);

        Assert.Contains("shop_asked 1\n", young, StringComparison.Ordinal);
        Assert.Contains("shop_asked 2\n", old, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "text/plain; version=0.0.4; charset=utf-8")]
    [InlineData("*/*", "text/plain; version=0.0.4; charset=utf-8")]
    [InlineData("not a media type;;;", "text/plain; version=0.0.4; charset=utf-8")]
    [InlineData("application/openmetrics-text;q=0.1,text/plain;q=0.9", "text/plain; version=0.0.4; charset=utf-8")]
    [InlineData("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8")]
    [InlineData(
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text; version=1.0.0; charset=utf-8")]
    public async Task WriteAsync_AnAcceptHeader_DecidesTheForm(string accept, string contentType)
    {
        _meter.CreateCounter<long>("shop.visits").Add(1);
        var http = new DefaultHttpContext();
        http.Request.Headers.Accept = accept;
        using var body = new MemoryStream();
        http.Response.Body = body;

        await MetricsPage.WriteAsync(http, _page);

        var text = Encoding.UTF8.GetString(body.ToArray());
        Assert.Equal(contentType, http.Response.ContentType);
        Assert.Equal(text.Length, http.Response.ContentLength);
        Assert.Contains("shop_visits_total 1\n", text, StringComparison.Ordinal);
        Assert.Equal(contentType.StartsWith("application", StringComparison.Ordinal), text.EndsWith("# EOF\n", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Collect_EverythingTheGatewayShows_PassesPromtool()
    {
        using var world = MetricNamesTests.EventfulWorld();
        var page = await world.ScrapeAsync();
        if (FindPromtool() is not { } promtool)
        {
            Console.WriteLine("promtool is not on PATH: its check of the metrics page is skipped.");
            return;
        }

        var (exitCode, complaints) = await CheckAsync(promtool, page);

        // The runtime's own names end in _count; they are not ours to mend.
        Assert.DoesNotContain(complaints.Split('\n'), line => line.StartsWith("gateway_", StringComparison.Ordinal) || line.StartsWith("gen_ai_", StringComparison.Ordinal));
        Assert.DoesNotContain("error", complaints, StringComparison.OrdinalIgnoreCase);
        Assert.Contains(exitCode, new[] { 0, 3 });
    }

    public void Dispose()
    {
        _provider.Dispose();
        _meter.Dispose();
        _page.Dispose();
    }

    private static string? FindPromtool() => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Select(folder => Path.Combine(folder, "promtool"))
        .FirstOrDefault(File.Exists);

    private static async Task<(int ExitCode, string Complaints)> CheckAsync(string promtool, string page)
    {
        var start = new ProcessStartInfo(promtool, ["check", "metrics"]) { RedirectStandardInput = true, RedirectStandardError = true, RedirectStandardOutput = true };
        using var process = Process.Start(start)!;
        await process.StandardInput.WriteAsync(page);
        process.StandardInput.Close();
        var complaints = await process.StandardError.ReadToEndAsync() + await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return (process.ExitCode, complaints);
    }

    private void RecordSamples()
    {
        var orders = _meter.CreateCounter<long>("shop.orders", "{order}", "Orders \"so far\".\nTwo lines, one \\.");
        orders.Add(3, new("kind", "a \"quoted\"\nline\\"), new("region.name", "eu"));
        orders.Add(2, new KeyValuePair<string, object?>("kind", "b"));
        var advice = new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.1, 2] };
        var wait = _meter.CreateHistogram<double>("shop.wait", "s", "Waiting.", tags: null, advice);
        wait.Record(0.0625);
        wait.Record(2);
        wait.Record(7.5);
        _meter.CreateUpDownCounter<long>("shop.open", "{door}").Add(-4);
        _meter.CreateObservableGauge("shop.load", () => double.NaN, "1");
        _meter.CreateCounter<double>("shop.received", "By").Add(1.5);
    }

    private async Task<string> ScrapeAsync(PrometheusFormat format)
    {
        var page = await _page.CollectAsync(format, CancellationToken.None);
        Assert.NotNull(page);
        return Encoding.UTF8.GetString(page.Value.Span);
    }
}
