using System.Text;
using System.Text.Json;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Tells a file's format by its first line.</summary>
internal static class FormatDetector
{
    /// <returns>Null: none that is known.</returns>
    /// <exception cref="TraceException">The file is empty.</exception>
    public static TraceFormat? Detect(LineReader lines)
    {
        if (!lines.Next(out var line))
        {
            throw lines.Spot.Wrong("the file is empty. A trace has at least one request.");
        }

        if (line.Span[0] != (byte)'{')
        {
            return OfHeader(Encoding.UTF8.GetString(line.Span));
        }

        using var document = JsonRow.Parse(line, lines.Spot);
        return OfObject(document.RootElement, lines.Spot);
    }

    public static TraceException Unknown(string file) => new TraceSpot(file, 1).Wrong(
        "no known format. Allowed: a CSV with timestamp_ms,input_tokens,output_tokens; Azure's TIMESTAMP,ContextTokens,GeneratedTokens; "
        + "or JSON lines of Mooncake, vLLM bench, AIPerf, the access log, or prompts with output_tokens.");

    private static TraceFormat? OfHeader(string header)
    {
        var columns = CsvLine.Split(header);
        return columns.Contains("timestamp_ms") || columns.Contains("input_tokens") ? TraceFormat.Csv
            : columns.Contains("TIMESTAMP") || columns.Contains("ContextTokens") ? TraceFormat.Azure
            : null;
    }

    private static TraceFormat? OfObject(JsonElement row, TraceSpot spot)
    {
        bool Has(string name) => JsonRow.Member(row, name, spot) is not null;
        return Has("hash_ranges") || Has("t_ms") ? TraceFormat.Sessions
            : Has("timestamp_ms") ? TraceFormat.Jsonl
            : Has("time") && Has("outcome") ? TraceFormat.AccessLog
            : Has("suffix") || (Has("prompt_tokens") && Has("output_tokens")) || (Has("messages") && Has("session_id")) ? TraceFormat.Prompts
            : Has("hash_ids") && Has("timestamp") && !Has("session_id") && !Has("text_input") ? TraceFormat.Mooncake
            : BenchReader.Marks.Any(Has) ? TraceFormat.Bench
            : null;
    }
}
