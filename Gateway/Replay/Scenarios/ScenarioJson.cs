using System.Text.Json;
using Gateway.Configuration;
using Gateway.Replay.Reports;

namespace Gateway.Replay.Scenarios;

/// <summary>The results for machines: one row per claim, no wall-clock figure and no path, so equal runs are equal bytes.</summary>
public static class ScenarioJson
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>Indented, UTF-8, ending in a line feed.</summary>
    public static byte[] Write(IReadOnlyList<ScenarioResult> results)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteStartArray("claims");
            foreach (var result in results)
            {
                Write(json, result);
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void Write(Utf8JsonWriter json, ScenarioResult result)
    {
        json.WriteStartObject();
        json.WriteString("system", result.File.System);
        json.WriteString("source", result.File.Source);
        json.WriteString("experiment", result.Experiment.Name);
        json.WriteString("baseline", result.Experiment.Baseline);
        json.WriteString("policy", result.Experiment.Policy);
        json.WriteString("metric", result.Claim.Metric);
        json.WriteString("expect", EnumWords.Of(result.Claim.Expect));
        RunJson.Number(json, "baselineValue", result.Baseline);
        RunJson.Number(json, "policyValue", result.Policy);
        RunJson.Number(json, "ratio", result.Ratio);
        RunJson.Number(json, "recovered", result.Recovered);
        json.WriteString("published", result.Claim.Published);
        json.WriteString("missing", result.Missing);
        json.WriteNumber("holds", result.Holds);
        json.WriteNumber("seeds", result.Pairs.Count);
        json.WriteBoolean("reproduced", result.IsReproduced);
        json.WriteEndObject();
    }
}
