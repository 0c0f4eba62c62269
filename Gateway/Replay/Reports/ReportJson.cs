using System.Text.Json;

namespace Gateway.Replay.Reports;

/// <summary>
/// The report for machines: no path, fixed rounding and order, and without a measured load no wall-clock figure, so equal simulated runs are equal bytes.
/// Times in seconds, shares 0 to 1; null where a run has no such figure.
/// </summary>
public static class ReportJson
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>The whole report, indented, UTF-8, ending in a line feed.</summary>
    public static byte[] Write(ReplayReport report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            Write(json, report);
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    /// <summary>The whole report without white space; safe inside a script element, since every angle bracket and ampersand is escaped.</summary>
    internal static byte[] WriteCompact(ReplayReport report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            Write(json, report);
        }
        return buffer.ToArray();
    }

    private static void Write(Utf8JsonWriter json, ReplayReport report)
    {
        json.WriteStartObject();
        json.WriteString("trace", report.Trace);
        json.WriteString("fleet", report.Fleet);
        json.WriteNumber("seed", report.Seed);
        json.WriteStartObject("slo");
        RunJson.Number(json, "ttft", report.Slo.TimeToFirstToken?.TotalSeconds);
        RunJson.Number(json, "tpot", report.Slo.TimePerOutputToken?.TotalSeconds);
        RunJson.Number(json, "e2e", report.Slo.EndToEnd?.TotalSeconds);
        json.WriteEndObject();
        json.WriteStartArray("runs");
        foreach (var run in report.Runs)
        {
            json.WriteStartObject();
            json.WriteString("policy", run.Policy);
            RunJson.Figures(json, run.Summary);
            RunJson.Curves(json, run.Summary);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        if (report.Load is { } load)
        {
            WriteLoad(json, load);
        }
        WriteSweeps(json, report.Sweeps);
        WriteBounds(json, report);
        WriteComparisons(json, report.Comparisons);
        json.WriteEndObject();
    }

    private static void WriteLoad(Utf8JsonWriter json, LoadFigures load)
    {
        json.WriteStartObject("load");
        json.WriteNumber("sent", load.Sent);
        RunJson.Number(json, "offeredRate", load.OfferedRate);
        RunJson.Number(json, "sentRate", load.SentRate);
        RunJson.Latency(json, "lateness", load.Lateness);
        json.WriteBoolean("isLate", load.IsLate);
        json.WriteNumber("mostOpen", load.MostOpen);
        json.WriteNumber("givenUp", load.GivenUp);
        WriteCounts("failures", load.Failures);
        WriteCounts("replicas", load.Replicas);
        json.WriteEndObject();

        void WriteCounts(string name, IReadOnlyList<NamedCount> counts)
        {
            json.WriteStartObject(name);
            foreach (var count in counts)
            {
                json.WriteNumber(count.Name, count.Count);
            }
            json.WriteEndObject();
        }
    }

    private static void WriteSweeps(Utf8JsonWriter json, IReadOnlyList<SweepResult> sweeps)
    {
        json.WriteStartArray("sweeps");
        foreach (var sweep in sweeps)
        {
            json.WriteStartObject();
            json.WriteString("policy", sweep.Policy);
            json.WriteStartArray("points");
            foreach (var point in sweep.Points)
            {
                json.WriteStartObject();
                RunJson.Number(json, "offeredRate", point.OfferedRate);
                RunJson.Figures(json, point.Summary);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private static void WriteBounds(Utf8JsonWriter json, ReplayReport report)
    {
        json.WriteStartArray("rateAtBound");
        foreach (var bound in SweepBound.Of(report))
        {
            for (var i = 0; i < report.Sweeps.Count; i++)
            {
                json.WriteStartObject();
                json.WriteString("policy", report.Sweeps[i].Policy);
                json.WriteString("metric", bound.Metric);
                RunJson.Number(json, "bound", bound.BoundSeconds);
                RunJson.Number(json, "rate", bound.Rates[i]?.Rate);
                json.WriteBoolean("atLeast", bound.Rates[i]?.IsAtLeast ?? false);
                json.WriteEndObject();
            }
        }
        json.WriteEndArray();
    }

    private static void WriteComparisons(Utf8JsonWriter json, IReadOnlyList<MeasuredComparison> comparisons)
    {
        json.WriteStartArray("comparisons");
        foreach (var comparison in comparisons)
        {
            json.WriteStartObject();
            json.WriteString("name", comparison.Name);
            foreach (var (name, summary) in new[] { ("measured", comparison.Measured), ("simulated", comparison.Simulated) })
            {
                json.WriteStartObject(name);
                RunJson.Figures(json, summary);
                RunJson.Curves(json, summary);
                json.WriteEndObject();
            }
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }
}
