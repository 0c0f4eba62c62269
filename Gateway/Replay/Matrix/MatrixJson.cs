using System.Text.Json;
using Gateway.Replay.Reports;

namespace Gateway.Replay.Matrix;

/// <summary>Every row of a matrix for machines: no wall-clock figure and no path, so equal runs are equal bytes.</summary>
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
            json.WriteNumber("completed", row.Summary.Completed);
            json.WriteBoolean("roughPercentiles", row.Summary.HasRoughPercentiles);
            RunJson.Number(json, "e2eMean", row.Summary.EndToEnd.Mean);
            RunJson.Number(json, "e2eP99", row.Summary.EndToEnd.P99);
            RunJson.Number(json, "ttftMean", row.Summary.TimeToFirstToken.Mean);
            RunJson.Number(json, "ttftP99", row.Summary.TimeToFirstToken.P99);
            RunJson.Number(json, "cachedShare", row.Summary.CachedTokenShare);
            json.WriteNumber("preemptions", row.Summary.Preemptions);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
