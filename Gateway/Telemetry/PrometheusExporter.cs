using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Gateway.Telemetry;

/// <summary>Hands what the OpenTelemetry SDK collected to a writer, when a scrape asks for it. One per meter provider.</summary>
[ExportModes(ExportModes.Pull)]
public sealed class PrometheusExporter : BaseExporter<Metric>, IPullMetricExporter
{
    private PrometheusTextWriter? _target;

    /// <inheritdoc/>
    public Func<int, bool>? Collect { get; set; }

    /// <inheritdoc/>
    public override ExportResult Export(in Batch<Metric> batch)
    {
        // The provider's shutdown exports a last time; only a scrape has somewhere to write.
        _target?.WriteMetrics(batch);
        return ExportResult.Success;
    }

    /// <summary>Collects and writes all metrics of the provider. One caller at a time.</summary>
    /// <returns>Whether the collection succeeded.</returns>
    internal bool WriteTo(PrometheusTextWriter writer)
    {
        _target = writer;
        try
        {
            return Collect?.Invoke(Timeout.Infinite) ?? false;
        }
        finally
        {
            _target = null;
        }
    }
}

/// <summary>Puts the pull exporter where the official <c>AddPrometheusExporter</c> would stand.</summary>
public static class PrometheusPullExtensions
{
    /// <summary>Shows the provider's metrics on a page.</summary>
    /// <param name="builder">The provider's builder.</param>
    /// <param name="page">The page; several providers may share it as long as their metrics differ.</param>
    /// <param name="temporality">Delta for gauges alone: series without a fresh value are then forgotten. Counters need cumulative.</param>
    public static MeterProviderBuilder AddPrometheusPull(
        this MeterProviderBuilder builder, PrometheusPage page, MetricReaderTemporalityPreference temporality = MetricReaderTemporalityPreference.Cumulative)
    {
        var exporter = new PrometheusExporter();
        page.Add(exporter);
        return builder.AddReader(new BaseExportingMetricReader(exporter) { TemporalityPreference = temporality });
    }
}
