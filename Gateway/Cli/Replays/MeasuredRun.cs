using System.Text.Json;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Replays;

/// <summary>What a real engine did with a workload: the rows of a measured run, as figures of the same kind as a replay's.</summary>
internal static class MeasuredRun
{
    /// <summary>Reads a run recorded by the engine itself: JSON lines with <c>input_toks</c>, <c>output_toks</c>, <c>queued_ts</c>, <c>first_token_ts</c> and <c>last_token_ts</c>, in seconds.</summary>
    /// <param name="path">The file, gzip or plain.</param>
    /// <param name="slo">The limits of a good answer.</param>
    /// <exception cref="TraceException">A row without these fields; names its line.</exception>
    public static RunSummary Read(string path, SloLimits slo)
    {
        using var reader = new StreamReader(TraceFiles.Open(path));
        var rows = new List<Row>();
        for (var line = 1; reader.ReadLine() is { } text; line++)
        {
            if (text.Length > 0)
            {
                rows.Add(RowOf(text, Path.GetFileName(path), line));
            }
        }
        if (rows.Count == 0)
        {
            throw new TraceException($"{Path.GetFileName(path)}: the run has no requests.");
        }
        return Summarize(rows, slo);
    }

    private static RunSummary Summarize(List<Row> rows, SloLimits slo)
    {
        var statistics = new RunStatistics(slo);
        var start = rows.Min(row => row.Queued);
        foreach (var row in rows)
        {
            statistics.OnRequest(new RequestResult
            {
                Outcome = ReplayOutcome.Completed,
                Arrival = TimeSpan.FromSeconds(row.Queued - start),
                TimeToFirstToken = TimeSpan.FromSeconds(row.FirstToken - row.Queued),
                EndToEnd = TimeSpan.FromSeconds(row.LastToken - row.Queued),
                InputTokens = row.InputTokens,
                OutputTokens = row.OutputTokens,
            });
        }
        statistics.OnEnd(TimeSpan.FromSeconds(rows.Max(row => row.LastToken) - start), 0, []);
        return statistics.Summarize();
    }

    private static Row RowOf(string text, string file, int line)
    {
        try
        {
            using var json = JsonDocument.Parse(text);
            var row = json.RootElement;
            return new Row(
                row.GetProperty("input_toks").GetInt32(), row.GetProperty("output_toks").GetInt32(),
                row.GetProperty("queued_ts").GetDouble(), row.GetProperty("first_token_ts").GetDouble(), row.GetProperty("last_token_ts").GetDouble());
        }
        catch (Exception broken) when (broken is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new TraceException(
                $"{file}:{line}: not a row of a measured run. Allowed: a JSON object with input_toks, output_toks, queued_ts, first_token_ts and last_token_ts.");
        }
    }

    private readonly record struct Row(int InputTokens, int OutputTokens, double Queued, double FirstToken, double LastToken);
}
