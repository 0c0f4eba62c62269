using System.Globalization;
using Gateway.Replay.Calibration;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;
using Gateway.Requests;

namespace Gateway.Cli.Calibration;

/// <summary>Reads answered streams out of a gateway's access log, line by line; other lines are passed over.</summary>
internal static class LoggedRequestReader
{
    /// <summary>More mistakes say nothing new about a file.</summary>
    private const int MostProblems = 20;

    /// <summary>Reads up to <see cref="LogObservations.MaxRequests"/> requests.</summary>
    /// <param name="path">The log, plain or gzip.</param>
    /// <param name="model">Only this model's requests; null: every model's.</param>
    /// <exception cref="TraceException">The file cannot be read, or has broken lines: each is told with its number.</exception>
    public static IReadOnlyList<LoggedRequest> Read(string path, string? model)
    {
        using var file = TraceFiles.Open(path);
        var lines = new LineReader(file, path);
        var requests = new List<LoggedRequest>();
        var problems = new List<string>();
        string? unfinished = null;
        while (requests.Count < LogObservations.MaxRequests && problems.Count < MostProblems && lines.Next(out var line))
        {
            problems.AddRange(unfinished is null ? [] : [unfinished]);
            unfinished = null;
            try
            {
                using var json = JsonRow.Parse(line, lines.Spot);
                requests.AddRange(Request(new JsonRow(json.RootElement, lines.Spot), model) is { } request ? [request] : []);
            }
            catch (TraceException wrong) when (line.Span[^1] != (byte)'}')
            {
                // A gateway that is still writing may leave its last line unfinished: a damaged line is accepted if no other follows.
                unfinished = wrong.Message;
            }
            catch (TraceException wrong)
            {
                problems.Add(wrong.Message);
            }
        }

        problems.AddRange(unfinished is not null && lines.Spot.Line == 1 ? [unfinished] : []);
        return problems.Count == 0 ? requests : throw new TraceException(string.Join('\n', problems));
    }

    private static LoggedRequest? Request(JsonRow row, string? model)
    {
        var written = row.Text("time") ?? throw row.Missing("time");
        var outcome = row.Text("outcome") ?? throw row.Missing("outcome");
        if (!DateTimeOffset.TryParse(written, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            throw row.Spot.Wrong("time is no date. Allowed: a date and time such as 2026-01-31T12:00:00.000Z.");
        }

        // What is read of a stored response came at once, whatever its making took. Retried requests began on another replica at a time that is not told.
        if (outcome != "success" || row.Text("replica") is not { } replica || row.Number("retries") is > 0 || (model is not null && row.Text("model") != model)
            || row.Number("ttft_ms") is not { } firstToken || row.Number("stream_ms") is not { } stream || row.Count(1, "prompt_tokens") is not { } prompt
            || row.Count(1, "output_tokens") is not { } output || row.Number("sequences") is > 1 || (row.Text("route") is { } route && ApiRoute.IsWithoutRoom(route)))
        {
            return null;
        }

        var queued = row.Number("queue_ms") ?? 0;
        var cached = row.Count(0, "cached_tokens") ?? 0;
        if (firstToken < queued || cached > prompt)
        {
            throw row.Spot.Wrong("the figures do not fit each other. Allowed: ttft_ms of at least queue_ms, cached_tokens of at most prompt_tokens.");
        }

        var arrived = time.ToUnixTimeMilliseconds();
        return new LoggedRequest(replica, arrived + queued, arrived + firstToken, arrived + firstToken + stream, prompt, cached, output);
    }
}
