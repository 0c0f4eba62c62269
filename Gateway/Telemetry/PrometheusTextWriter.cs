using System.Buffers;
using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Gateway.Telemetry;

/// <summary>Writes metrics in Prometheus' text form 0.0.4 or OpenMetrics 1.0.0. For one page; not thread-safe.</summary>
/// <remarks>
/// Names follow the OpenTelemetry compatibility rules. Scope labels and <c>target_info</c> are left out: one process, one scope that matters.
/// Bucket edges read alike in both forms (<c>le="2"</c>), so that a query does not depend on what the scraper negotiated.
/// </remarks>
internal sealed class PrometheusTextWriter(IBufferWriter<byte> output, PrometheusFormat format)
{
    private readonly HashSet<string> _families = new(StringComparer.Ordinal);
    private readonly HashSet<string> _headed = new(StringComparer.Ordinal);
    private readonly HashSet<string> _series = new(StringComparer.Ordinal);
    private readonly StringBuilder _labels = new();

    private bool IsOpenMetrics => format == PrometheusFormat.OpenMetrics;

    public void WriteMetrics(in Batch<Metric> batch)
    {
        // A family's lines must stand together, and two meters may have instruments of one name.
        var families = new Dictionary<string, List<Metric>>(StringComparer.Ordinal);
        var order = new List<string>();
        foreach (var metric in batch)
        {
            if (KindOf(metric.MetricType) is not { } kind)
            {
                continue;
            }
            var family = PrometheusName.OfFamily(metric.Name, metric.Unit, kind);
            if (!families.TryGetValue(family, out var members))
            {
                families[family] = members = [];
                order.Add(family);
            }
            // The first decides the type; a namesake of another type cannot be shown under one header.
            if (members.Count == 0 || members[0].MetricType == metric.MetricType)
            {
                members.Add(metric);
            }
        }
        foreach (var family in order)
        {
            if (_families.Add(family))
            {
                WriteFamily(family, families[family]);
            }
        }
    }

    /// <summary>Names the metrics that have no series now, so that whoever looks for one finds its help text, and that nothing was counted.</summary>
    public void WriteAbsent(IReadOnlyList<MetricDefinition> known)
    {
        foreach (var metric in known)
        {
            var name = IsOpenMetrics ? PrometheusName.OfFamily(metric.Instrument, metric.Unit, metric.Kind) : metric.PrometheusName;
            if (!_headed.Contains(name))
            {
                WriteHeader(name, metric.Unit, metric.Help, metric.Kind);
            }
        }
    }

    /// <summary>Ends the page.</summary>
    public void Finish()
    {
        if (IsOpenMetrics)
        {
            Write("# EOF\n");
        }
    }

    private static MetricKind? KindOf(MetricType type) => type switch
    {
        MetricType.LongSum or MetricType.DoubleSum => MetricKind.Counter,
        MetricType.LongGauge or MetricType.DoubleGauge or MetricType.LongSumNonMonotonic or MetricType.DoubleSumNonMonotonic => MetricKind.Gauge,
        MetricType.Histogram => MetricKind.Histogram,
        _ => null,
    };

    private void WriteFamily(string family, List<Metric> members)
    {
        var kind = KindOf(members[0].MetricType)!.Value;
        var sample = kind == MetricKind.Counter ? family + "_total" : family;
        var isHeaded = false;
        _series.Clear();
        foreach (var metric in members)
        {
            foreach (ref readonly var point in metric.GetMetricPoints())
            {
                if (!isHeaded)
                {
                    WriteHeader(IsOpenMetrics ? family : sample, metric.Unit, metric.Description, kind);
                    isHeaded = true;
                }
                var labels = LabelsOf(point.Tags);
                if (_series.Add(labels))
                {
                    WritePoint(sample, labels, metric.MetricType, point);
                }
            }
        }
    }

    private void WriteHeader(string name, string unitName, string help, MetricKind kind)
    {
        _headed.Add(name);
        Write("# TYPE ");
        Write(name);
        Write(kind switch { MetricKind.Counter => " counter\n", MetricKind.Gauge => " gauge\n", _ => " histogram\n" });
        if (IsOpenMetrics && PrometheusName.OfUnit(unitName, kind) is { } unit)
        {
            Write("# UNIT ");
            Write(name);
            Write(" ");
            Write(unit);
            Write("\n");
        }
        if (help.Length > 0)
        {
            Write("# HELP ");
            Write(name);
            Write(" ");
            Write(EscapeHelp(help));
            Write("\n");
        }
    }

    private void WritePoint(string name, string labels, MetricType type, in MetricPoint point)
    {
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                WriteSample(name, labels, point.GetSumLong());
                break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                WriteSample(name, labels, point.GetSumDouble());
                break;
            case MetricType.LongGauge:
                WriteSample(name, labels, point.GetGaugeLastValueLong());
                break;
            case MetricType.DoubleGauge:
                WriteSample(name, labels, point.GetGaugeLastValueDouble());
                break;
            default:
                WriteHistogram(name, labels, point);
                break;
        }
    }

    private void WriteHistogram(string name, string labels, in MetricPoint point)
    {
        var separator = labels.Length == 0 ? "" : ",";
        long below = 0;
        var lower = double.NegativeInfinity;
        var hasExemplars = point.TryGetExemplars(out var exemplars) && IsOpenMetrics;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            below += bucket.BucketCount;
            Write(name);
            Write("_bucket{");
            Write(labels);
            Write(separator);
            Write("le=\"");
            Write(bucket.ExplicitBound);
            Write("\"} ");
            Write(below);
            if (hasExemplars)
            {
                WriteExemplar(exemplars, lower, bucket.ExplicitBound);
            }
            Write("\n");
            lower = bucket.ExplicitBound;
        }
        WriteSample(name + "_sum", labels, point.GetHistogramSum());
        // The sum of the buckets and not the point's own count: the format demands that the two agree.
        WriteSample(name + "_count", labels, below);
    }

    // The format allows one exemplar per bucket: a value that fell into it, with its trace.
    private void WriteExemplar(ReadOnlyExemplarCollection exemplars, double above, double upTo)
    {
        foreach (ref readonly var exemplar in exemplars)
        {
            if (exemplar.TraceId == default || !(exemplar.DoubleValue > above && exemplar.DoubleValue <= upTo))
            {
                continue;
            }
            Write(" # {trace_id=\"");
            Write(exemplar.TraceId.ToHexString());
            Write("\",span_id=\"");
            Write(exemplar.SpanId.ToHexString());
            Write("\"} ");
            Write(exemplar.DoubleValue);
            Write(" ");
            Write(exemplar.Timestamp.ToUnixTimeMilliseconds() / 1000.0);
            return;
        }
    }

    private void WriteSample(string name, string labels, double value)
    {
        WriteSeries(name, labels);
        Write(value);
        Write("\n");
    }

    private void WriteSample(string name, string labels, long value)
    {
        WriteSeries(name, labels);
        Write(value);
        Write("\n");
    }

    private void WriteSeries(string name, string labels)
    {
        Write(name);
        if (labels.Length > 0)
        {
            Write("{");
            Write(labels);
            Write("}");
        }
        Write(" ");
    }

    private string LabelsOf(in ReadOnlyTagCollection tags)
    {
        _labels.Clear();
        foreach (var tag in tags)
        {
            if (_labels.Length > 0)
            {
                _labels.Append(',');
            }
            _labels.Append(PrometheusName.OfLabel(tag.Key)).Append("=\"");
            AppendEscaped(TextOf(tag.Value));
            _labels.Append('"');
        }
        return _labels.ToString();
    }

    private static string TextOf(object? value) => value switch
    {
        null => "",
        string text => text,
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    private void AppendEscaped(string value)
    {
        foreach (var letter in value)
        {
            _ = letter switch
            {
                '\\' => _labels.Append("\\\\"),
                '"' => _labels.Append("\\\""),
                '\n' => _labels.Append("\\n"),
                _ => _labels.Append(letter),
            };
        }
    }

    private string EscapeHelp(string help)
    {
        help = help.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
        return IsOpenMetrics ? help.Replace("\"", "\\\"", StringComparison.Ordinal) : help;
    }

    private void Write(string text)
    {
        var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(Encoding.UTF8.GetBytes(text, span));
    }

    private void Write(long value)
    {
        value.TryFormat(output.GetSpan(20), out var written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }

    private void Write(double value)
    {
        if (double.IsFinite(value))
        {
            value.TryFormat(output.GetSpan(32), out var written, default, CultureInfo.InvariantCulture);
            output.Advance(written);
            return;
        }
        Write(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
    }
}
