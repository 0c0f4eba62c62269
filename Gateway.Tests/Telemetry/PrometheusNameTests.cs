using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class PrometheusNameTests
{
    [Theory]
    [InlineData("a.b", "s", MetricKind.Histogram, "a_b_seconds")]
    [InlineData("a.b_seconds", "s", MetricKind.Histogram, "a_b_seconds")]
    [InlineData("a.b", "ms", MetricKind.Gauge, "a_b_milliseconds")]
    [InlineData("a.b", "By", MetricKind.Counter, "a_b_bytes_total")]
    [InlineData("a.b_total", "{thing}", MetricKind.Counter, "a_b_total")]
    [InlineData("a.b_total", "s", MetricKind.Counter, "a_b_seconds_total")]
    [InlineData("a.b", "1", MetricKind.Gauge, "a_b_ratio")]
    [InlineData("a.b", "1", MetricKind.Histogram, "a_b")]
    [InlineData("a.b", "", MetricKind.Gauge, "a_b")]
    [InlineData("a.b", "By/s", MetricKind.Gauge, "a_b_bytes_per_second")]
    [InlineData("a--b/c", "{x}", MetricKind.Gauge, "a_b_c")]
    [InlineData("1a", "", MetricKind.Gauge, "_1a")]
    public void Of_AnInstrument_FollowsTheCompatibilityRules(string instrument, string unit, MetricKind kind, string expected) =>
        Assert.Equal(expected, PrometheusName.Of(instrument, unit, kind));

    [Theory]
    [InlineData("http.route", "http_route")]
    [InlineData("a:b", "a_b")]
    [InlineData("9lives", "_9lives")]
    public void OfLabel_AKey_IsALegalLabelName(string key, string expected) => Assert.Equal(expected, PrometheusName.OfLabel(key));
}
