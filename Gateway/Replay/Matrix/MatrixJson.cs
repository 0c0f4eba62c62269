using System.Text.Json;
using Gateway.Replay.Reports;

namespace Gateway.Replay.Matrix;

/// <summary>Every row of a matrix for machines: means over the seeds, and the sums of what is counted. No wall-clock figure and no path, so equal runs are equal bytes.</summary>
public static class MatrixJson
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>Indented, UTF-8, ending in a line feed.</summary>
    public static byte[] Write(IReadOnlyList<MatrixCell> cells)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteStartArray("cells");
            foreach (var cell in cells)
            {
                Write(json, cell);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void Write(Utf8JsonWriter json, MatrixCell cell)
    {
        json.WriteStartObject();
        json.WriteString("workload", cell.Workload.Name);
        json.WriteString("profile", cell.Workload.Profile);
        json.WriteNumber("replicas", cell.Replicas);
        RunJson.Number(json, "capacityPerSecond", cell.CapacityPerSecond);
        RunJson.Number(json, "load", cell.Load);
        json.WriteStartArray("rows");
        foreach (var row in cell.Baselines.Prepend(cell.Reference))
        {
            json.WriteStartObject();
            json.WriteString("policy", row.Policy);
            json.WriteNumber("completed", row.Runs.Sum(run => run.Completed));
            json.WriteBoolean("roughPercentiles", row.HasRoughPercentiles);
            RunJson.Number(json, "e2eMean", row.EndToEnd.Mean);
            RunJson.Number(json, "e2eP99", row.EndToEnd.P99);
            RunJson.Number(json, "ttftMean", row.TimeToFirstToken.Mean);
            RunJson.Number(json, "ttftP99", row.TimeToFirstToken.P99);
            RunJson.Number(json, "cachedShare", row.Runs.Average(run => run.CachedTokenShare));
            json.WriteNumber("preemptions", row.Runs.Sum(run => run.Preemptions));
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
