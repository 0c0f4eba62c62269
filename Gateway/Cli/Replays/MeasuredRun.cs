using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;

namespace Gateway.Cli.Replays;

/// <summary>What a real engine did with a workload: the rows of a measured run, as figures of the same kind as a replay's.</summary>
internal static class MeasuredRun
{
    private const double MostSeconds = 1e11;

    /// <summary>Reads a run recorded by the engine itself: JSON lines with <c>input_toks</c>, <c>output_toks</c>, <c>queued_ts</c>, <c>first_token_ts</c> and <c>last_token_ts</c>, in seconds.</summary>
    /// <param name="path">The file, gzip or plain.</param>
    /// <param name="slo">The limits of a good answer.</param>
    /// <exception cref="TraceException">A row that lacks or breaks one of these; names its line.</exception>
    public static RunSummary Read(string path, SloLimits slo)
    {
        using var file = TraceFiles.Open(path);
        var lines = new LineReader(file, Path.GetFileName(path));
        var rows = new List<Row>();
        while (lines.Next(out var line))
        {
            using var json = JsonRow.Parse(line, lines.Spot);
            rows.Add(RowOf(new JsonRow(json.RootElement, lines.Spot)));
        }
        if (rows.Count == 0)
        {
            throw lines.Spot.Wrong("the run has no requests. A measured run has at least one.");
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

    private static Row RowOf(JsonRow row)
    {
        var (queued, first, last) = (row.RequiredNumber("queued_ts"), row.RequiredNumber("first_token_ts"), row.RequiredNumber("last_token_ts"));
        return queued <= first && first <= last && last <= MostSeconds
            ? new Row(row.RequiredCount(1, "input_toks"), row.RequiredCount(0, "output_toks"), queued, first, last)
            : throw row.Spot.Wrong("the times are out of order or range. Allowed: queued_ts <= first_token_ts <= last_token_ts, in seconds up to 1e11.");
    }

    private readonly record struct Row(int InputTokens, int OutputTokens, double Queued, double FirstToken, double LastToken);
}
