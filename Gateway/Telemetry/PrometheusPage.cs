using System.Buffers;

namespace Gateway.Telemetry;

/// <summary>The two text forms of a metrics page.</summary>
public enum PrometheusFormat
{
    /// <summary>Prometheus text 0.0.4.</summary>
    Text,

    /// <summary>OpenMetrics 1.0.0.</summary>
    OpenMetrics,
}

/// <summary>The metrics of all providers as one text. One collection runs at a time; scrapes that come together share its result.</summary>
public sealed class PrometheusPage(TimeProvider time) : IDisposable
{
    /// <summary>How long a collected page is given out again.</summary>
    public static readonly TimeSpan SharedFor = TimeSpan.FromMilliseconds(100);

    /// <summary>Metrics that are named on the page also while they have no series.</summary>
    public IReadOnlyList<MetricDefinition> Known { get; init; } = [];

    private readonly SemaphoreSlim _turn = new(1);
    private readonly ArrayBufferWriter<byte> _scratch = new(64 * 1024);
    private readonly (byte[] Text, long CollectedAt)?[] _latest = new (byte[], long)?[2];
    private PrometheusExporter[] _exporters = [];

    /// <summary>The page in the form asked for; null: a provider could not be collected.</summary>
    /// <param name="format">The form.</param>
    /// <param name="cancellationToken">Ends the wait for another scrape's collection.</param>
    public async ValueTask<ReadOnlyMemory<byte>?> CollectAsync(PrometheusFormat format, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            if (_latest[(int)format] is { } latest && time.GetElapsedTime(latest.CollectedAt) < SharedFor)
            {
                return latest.Text;
            }
            var text = Collect(format);
            _latest[(int)format] = text is null ? null : (text, time.GetTimestamp());
            return text;
        }
        finally
        {
            _turn.Release();
        }
    }

    public void Dispose() => _turn.Dispose();

    internal void Add(PrometheusExporter exporter) => _exporters = [.. _exporters, exporter];

    private byte[]? Collect(PrometheusFormat format)
    {
        _scratch.ResetWrittenCount();
        var writer = new PrometheusTextWriter(_scratch, format);
        foreach (var exporter in _exporters)
        {
            if (!exporter.WriteTo(writer))
            {
                return null;
            }
        }
        writer.WriteAbsent(Known);
        writer.Finish();
        return _scratch.WrittenSpan.ToArray();
    }
}
