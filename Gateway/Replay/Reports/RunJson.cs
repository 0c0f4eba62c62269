using System.Globalization;
using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Replay.Reports;

/// <summary>One run's figures and curves as properties of an open JSON object.</summary>
internal static class RunJson
{
    /// <summary>Rounded to a millionth: finer than any clock behind the figures, and the same text on every machine.</summary>
    public static void Number(Utf8JsonWriter json, string name, double? value)
    {
        if (value is { } number && double.IsFinite(number))
        {
            json.WriteNumber(name, Rounded(number));
        }
        else
        {
            json.WriteNull(name);
        }
    }

    public static void Figures(Utf8JsonWriter json, RunSummary run)
    {
        Number(json, "duration", run.DurationSeconds);
        json.WriteNumber("completed", run.Completed);
        json.WriteNumber("refused", run.Refused);
        json.WriteNumber("tooLarge", run.TooLarge);
        json.WriteNumber("failed", run.Failed);
        json.WriteBoolean("roughPercentiles", run.HasRoughPercentiles);
        Latency(json, "ttft", run.TimeToFirstToken);
        Latency(json, "tpot", run.TimePerOutputToken);
        Latency(json, "e2e", run.EndToEnd);
        Latency(json, "queueWait", run.QueueWait);
        Latency(json, "normalizedLatency", run.NormalizedLatency);
        Number(json, "requestsPerSecond", run.RequestsPerSecond);
        Number(json, "outputTokensPerSecond", run.OutputTokensPerSecond);
        Number(json, "totalTokensPerSecond", run.TotalTokensPerSecond);
        Number(json, "goodput", run.Goodput);
        Number(json, "goodShare", run.GoodShare);
        json.WriteNumber("preemptions", run.Preemptions);
        json.WriteNumber("engineSteps", run.EngineSteps);
        Number(json, "kvUsageMean", run.KvUsageMean);
        Number(json, "kvUsageMax", run.KvUsageMax);
        Number(json, "prefixHitShare", run.PrefixHitShare);
        Number(json, "cachedTokenShare", run.CachedTokenShare);
        json.WriteNumber("maxQueueDepth", run.MaxQueueDepth);
        json.WriteNumber("maxRunning", run.MaxRunning);
        json.WriteNumber("maxWaiting", run.MaxWaiting);
        Number(json, "clients", run.Fairness?.Clients);
        Number(json, "jainIndex", run.Fairness?.JainIndex);
        Number(json, "clientTtftRatio", run.Fairness?.TimeToFirstTokenRatio);
        Number(json, "busyMaxOverMean", run.Imbalance?.BusyMaxOverMean);
        Number(json, "tokenVariation", run.Imbalance?.TokenVariation);
        json.WriteNumber("decisions", run.Decisions);
        Number(json, "estimateMeanAbsoluteError", run.EstimateError?.MeanAbsoluteTokens);
        Number(json, "estimateCoveredShare", run.EstimateError?.CoveredShare);
        json.WriteStartArray("classes");
        foreach (var row in run.Classes)
        {
            json.WriteStartObject();
            json.WriteString("priority", row.Priority.Word());
            Latency(json, "ttft", row.TimeToFirstToken);
            Latency(json, "e2e", row.EndToEnd);
            Number(json, "goodput", row.Goodput);
            Number(json, "goodShare", row.GoodShare);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    public static void Curves(Utf8JsonWriter json, RunSummary run)
    {
        json.WriteStartObject("cdf");
        Curve(json, "ttft", run.TimeToFirstTokenCdf);
        Curve(json, "tpot", run.TimePerOutputTokenCdf);
        Curve(json, "e2e", run.EndToEndCdf);
        json.WriteEndObject();
        json.WriteStartObject("timeline");
        Number(json, "windowSeconds", run.Timeline.WindowSeconds);
        Values(json, "queueDepth", run.Timeline.QueueDepth);
        Values(json, "running", run.Timeline.Running);
        Values(json, "waiting", run.Timeline.Waiting);
        Values(json, "kvUsage", run.Timeline.KvUsage);
        Values(json, "completedPerSecond", run.Timeline.CompletedPerSecond);
        json.WriteEndObject();
    }

    public static void Latency(Utf8JsonWriter json, string name, LatencySummary times)
    {
        json.WriteStartObject(name);
        json.WriteNumber("count", times.Count);
        Number(json, "mean", times.Mean);
        Number(json, "p50", times.P50);
        Number(json, "p90", times.P90);
        Number(json, "p99", times.P99);
        Number(json, "max", times.Max);
        json.WriteEndObject();
    }

    // One array per line: a curve that took a line per number would bury the figures.
    private static void Curve(Utf8JsonWriter json, string name, IReadOnlyList<CdfPoint> points)
    {
        json.WritePropertyName(name);
        json.WriteRawValue($"[{string.Join(',', points.Select(point => $"[{Short(point.Value)},{Short(point.Share)}]"))}]");
    }

    private static void Values(Utf8JsonWriter json, string name, double[] values)
    {
        json.WritePropertyName(name);
        json.WriteRawValue($"[{string.Join(',', values.Select(Short))}]");
    }

    // Curves are for the eye: five digits keep a page of ten policies small.
    private static string Short(double value) => value.ToString("G5", CultureInfo.InvariantCulture);

    private static double Rounded(double value) => Math.Round(value, 6, MidpointRounding.ToEven);
}
