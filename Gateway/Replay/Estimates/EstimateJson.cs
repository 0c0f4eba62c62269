using System.Text.Json;
using Gateway.Replay.Reports;

namespace Gateway.Replay.Estimates;

/// <summary>The report for machines: fixed rounding and order, no path, no text of a prompt and no wall-clock time, so equal inputs are equal bytes. null: the data does not tell.</summary>
public static class EstimateJson
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n" };

    /// <summary>The whole report, indented, UTF-8, ending in a line feed.</summary>
    public static byte[] Write(EstimateReport report)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteString("method", report.Method);
            json.WriteNumber("seed", report.Seed);
            json.WriteNumber("trainingRows", report.TrainingRows);
            List(json, "bucketBorders", report.Buckets.Borders, border => json.WriteNumberValue(border));
            List(json, "estimators", report.Forecasters, forecaster => Forecaster(json, forecaster));
            List(json, "leaveOut", report.LeaveOut, leftOut => LeftOut(json, leftOut));
            List(json, "targets", EstimateTarget.Of(report), target => Target(json, target));
            json.WriteEndObject();
        }
        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    private static void Forecaster(Utf8JsonWriter json, ForecasterReport forecaster)
    {
        json.WriteStartObject();
        json.WriteString("name", forecaster.Name);
        json.WriteBoolean("isBaseline", forecaster.IsBaseline);
        Figures(json, "pooled", forecaster.Pooled);
        List(json, "sources", forecaster.Sources, source =>
        {
            json.WriteStartObject();
            json.WriteString("source", source.Source);
            Figures(json, "figures", source.Figures);
            List(json, "models", source.Models, model =>
            {
                json.WriteStartObject();
                json.WriteString("model", model.Model);
                Figures(json, "figures", model.Figures);
                json.WriteEndObject();
            });
            json.WriteEndObject();
        });
        json.WriteEndObject();
    }

    private static void Figures(Utf8JsonWriter json, string name, EstimateFigures figures)
    {
        json.WriteStartObject(name);
        json.WriteNumber("rows", figures.Rows);
        RunJson.Number(json, "censoredShare", figures.CensoredShare);
        RunJson.Number(json, "meanAbsoluteError", figures.MeanAbsoluteError);
        RunJson.Number(json, "medianLogRatio", figures.MedianLogRatio);
        RunJson.Number(json, "tauWithinModel", figures.TauWithinModel);
        RunJson.Number(json, "tauWithinApplication", figures.TauWithinApplication);
        RunJson.Number(json, "tauOfSampleMean", figures.TauOfSampleMean);
        RunJson.Number(json, "tauBetweenSamples", figures.TauBetweenSamples);
        RunJson.Number(json, "rightBucketShare", figures.RightBucketShare);
        RunJson.Number(json, "pinball50", figures.MedianPinball);
        RunJson.Number(json, "pinball90", figures.UpperPinball);
        RunJson.Number(json, "coverage50", figures.MedianCoverage);
        RunJson.Number(json, "coverage90", figures.UpperCoverage);
        List(json, "remaining", figures.Remaining, remaining =>
        {
            json.WriteStartObject();
            json.WriteNumber("streamedTokens", remaining.StreamedTokens);
            json.WriteNumber("rows", remaining.Rows);
            RunJson.Number(json, "refinedError", remaining.Refined);
            RunJson.Number(json, "unrefinedError", remaining.Unrefined);
            json.WriteEndObject();
        });
        json.WriteEndObject();
    }

    private static void LeftOut(Utf8JsonWriter json, LeaveOutReport report)
    {
        json.WriteStartObject();
        json.WriteString("estimator", report.Estimator);
        List(json, "files", report.Files, file => LeftOutFile(json, file));
        json.WritePropertyName("pooled");
        LeftOutFile(json, report.Pooled);
        json.WriteEndObject();
    }

    private static void LeftOutFile(Utf8JsonWriter json, LeaveOutFigures figures)
    {
        json.WriteStartObject();
        json.WriteString("file", figures.File);
        json.WriteNumber("rows", figures.Rows);
        RunJson.Number(json, "meanAbsoluteError", figures.MeanAbsoluteError);
        RunJson.Number(json, "othersMedianError", figures.OthersMedianError);
        RunJson.Number(json, "ownMedianError", figures.OwnMedianError);
        RunJson.Number(json, "ownModelMedianError", figures.OwnModelMedianError);
        RunJson.Number(json, "coverage90", figures.UpperCoverage);
        json.WriteEndObject();
    }

    private static void Target(Utf8JsonWriter json, EstimateTarget target)
    {
        json.WriteStartObject();
        json.WriteString("target", target.Name);
        json.WriteString("estimator", target.Estimator);
        RunJson.Number(json, "value", target.Value);
        json.WriteBoolean("isMet", target.IsMet);
        json.WriteEndObject();
    }

    private static void List<T>(Utf8JsonWriter json, string name, IEnumerable<T> items, Action<T> write)
    {
        json.WriteStartArray(name);
        foreach (var item in items)
        {
            write(item);
        }
        json.WriteEndArray();
    }
}
