using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class TelemetrySessionTests
{
    [Theory]
    [InlineData("", false, false)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x", true, true)]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=http://x", true, false)]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://x", false, true)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_TRACES_EXPORTER=none", true, false)]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://x OTEL_SDK_DISABLED=TRUE", false, false)]
    public void IsWanted_TheStandardVariables_Decide(string variables, bool metrics, bool traces)
    {
        var environment = variables.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(pair => pair.Split('=')).ToDictionary(pair => pair[0], pair => pair[1]);

        Assert.Equal(metrics, TelemetrySession.IsWanted(environment.GetValueOrDefault, "METRICS"));
        Assert.Equal(traces, TelemetrySession.IsWanted(environment.GetValueOrDefault, "TRACES"));
    }

    [Fact]
    public void Session_WithoutAnEndpoint_ExportsNoTracesAndStartsNoSpans()
    {
        using var session = new TelemetrySession("1.2.3", new SetTime(), environment: _ => null);

        Assert.False(session.ExportsTraces);
    }
}
