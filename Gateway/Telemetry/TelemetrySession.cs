using System.Diagnostics;
using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

/// <summary>The OpenTelemetry providers of the process: the metrics page always, OTLP where the standard environment variables name an endpoint.</summary>
public sealed class TelemetrySession : IDisposable
{
    /// <summary>The source of the gateway's spans; without a listener it starts none.</summary>
    public static readonly ActivitySource Spans = new(MetricNames.ActivitySource);

    private readonly MeterProvider _counters;
    private readonly MeterProvider _state;
    private readonly TracerProvider? _traces;

    /// <param name="version">Of the gateway.</param>
    /// <param name="time">The clock of the page.</param>
    /// <param name="scope">The scope given to <see cref="GatewayMeters"/> and <see cref="StateGauges"/>; those of another gateway in the process are not shown.</param>
    /// <param name="environment">Reads a variable; null: the process's.</param>
    public TelemetrySession(string version, TimeProvider time, object? scope = null, Func<string, string?>? environment = null)
    {
        environment ??= Environment.GetEnvironmentVariable;
        Page = new PrometheusPage(time) { Known = MetricNames.All };
        var resource = ResourceBuilder.CreateEmpty().AddService("gateway", serviceVersion: version).AddTelemetrySdk().AddEnvironmentVariableDetector();
        var pushesMetrics = IsWanted(environment, "METRICS");
        if (IsWanted(environment, "TRACES"))
        {
            _traces = Sdk.CreateTracerProviderBuilder()
                .SetResourceBuilder(resource)
                .AddSource(MetricNames.ActivitySource)
                .AddOtlpExporter()
                .Build();
        }
        _counters = Provider([MetricNames.Meter, "System.Runtime"], MetricReaderTemporalityPreference.Cumulative);
        // Cumulative readers keep a place for every series ever seen, 2,000 at most: a fleet whose addresses change would run out of them.
        _state = Provider([MetricNames.StateMeter], MetricReaderTemporalityPreference.Delta);

        MeterProvider Provider(string[] meters, MetricReaderTemporalityPreference temporality)
        {
            var builder = Sdk.CreateMeterProviderBuilder()
                .SetResourceBuilder(resource)
                .AddMeter(meters)
                .AddView(instrument => IsForeign(instrument, scope) ? MetricStreamConfiguration.Drop : null)
                .SetExemplarFilter(ExportsTraces ? ExemplarFilterType.TraceBased : ExemplarFilterType.AlwaysOff)
                .AddPrometheusPull(Page, temporality);
            return (pushesMetrics ? builder.AddOtlpExporter() : builder).Build();
        }
    }

    /// <summary>What <c>/metrics</c> shows.</summary>
    public PrometheusPage Page { get; }

    /// <summary>Whether spans are exported.</summary>
    public bool ExportsTraces => _traces is not null;

    /// <summary>Sends what is left, and stops.</summary>
    public void Dispose()
    {
        _traces?.Dispose();
        _state.Dispose();
        _counters.Dispose();
        Page.Dispose();
    }

    private static bool IsForeign(Instrument instrument, object? scope) =>
        instrument.Meter.Name is MetricNames.Meter or MetricNames.StateMeter && !ReferenceEquals(instrument.Meter.Scope, scope);

    /// <summary>Whether a signal (<c>METRICS</c>, <c>TRACES</c>) has an OTLP endpoint and is not switched off, by OpenTelemetry's own variables.</summary>
    internal static bool IsWanted(Func<string, string?> environment, string signal)
    {
        var isOff = string.Equals(environment("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase)
            || string.Equals(environment($"OTEL_{signal}_EXPORTER"), "none", StringComparison.OrdinalIgnoreCase);
        return !isOff
            && !(string.IsNullOrEmpty(environment("OTEL_EXPORTER_OTLP_ENDPOINT")) && string.IsNullOrEmpty(environment($"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")));
    }
}
