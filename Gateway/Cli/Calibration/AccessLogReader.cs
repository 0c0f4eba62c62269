using System.Globalization;
using System.Text.Json;
using Gateway.Configuration;
using Gateway.Replay.Calibration;
using Gateway.Replicas.Engines.Adapters;

namespace Gateway.Cli.Calibration;

/// <summary>Reads answered streams out of a gateway's access log, line by line; other lines are passed over, broken ones are problems.</summary>
internal static class AccessLogReader
{
    /// <summary>Reads up to <see cref="LogObservations.MaxRequests"/> requests.</summary>
    /// <param name="lines">The log.</param>
    /// <param name="fileName">As the user named it; used in messages only.</param>
    /// <param name="model">Only this model's requests; null: every model's.</param>
    public static LoadResult<IReadOnlyList<LoggedRequest>> Read(TextReader lines, string fileName, string? model)
    {
        var problems = new ProblemList();
        var requests = new List<LoggedRequest>();
        var number = 0;
        while (requests.Count < LogObservations.MaxRequests && !problems.IsFull && lines.ReadLine() is { } line)
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            try
            {
                using var json = JsonDocument.Parse(line);
                if (Request(json.RootElement, model, out var what) is { } request)
                {
                    requests.Add(request);
                }
                else if (what is not null)
                {
                    problems.Add(new SourceSpot(fileName, number, 1), "", what);
                }
            }
            catch (JsonException broken)
            {
                // A gateway that still writes leaves its last line unfinished.
                if (lines.Peek() >= 0 || number == 1)
                {
                    problems.Add(new SourceSpot(fileName, number, (broken.BytePositionInLine ?? 0) + 1), "", "this line is not JSON. An access log has one JSON object per line.");
                }
            }
        }

        return new LoadResult<IReadOnlyList<LoggedRequest>>(problems.IsEmpty ? requests : null, problems.InOrder(fileName));
    }

    private static LoggedRequest? Request(JsonElement line, string? model, out string? problem)
    {
        problem = null;
        if (line.ValueKind != JsonValueKind.Object || line.Text("time") is not { } written || line.Text("outcome") is not { } outcome)
        {
            problem = "this is no line of an access log: it has no time or no outcome.";
            return null;
        }

        if (!DateTimeOffset.TryParse(written, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            problem = "time: not a time. Written like 2026-01-31T10:00:00.000Z.";
            return null;
        }

        // Retried requests began on another replica at a time that is not told.
        if (outcome != "success" || line.Text("replica") is not { } replica || line.Number("retries") is > 0 || (model is not null && line.Text("model") != model)
            || line.Number("ttft_ms") is not { } firstToken || line.Number("stream_ms") is not { } stream || line.Number("prompt_tokens") is not { } prompt || line.Number("output_tokens") is not { } output
            || line.Number("sequences") is > 1)
        {
            return null;
        }

        var queued = line.Number("queue_ms") ?? 0;
        var cached = line.Number("cached_tokens") ?? 0;
        if (firstToken < queued || stream < 0 || queued < 0 || prompt is < 1 or > 1e8 || output is < 1 or > 1e8 || cached < 0 || cached > prompt)
        {
            problem = "ttft_ms, stream_ms, queue_ms, prompt_tokens, cached_tokens and output_tokens do not fit each other.";
            return null;
        }

        var arrived = time.ToUnixTimeMilliseconds();
        return new LoggedRequest(replica, arrived + queued, arrived + firstToken, arrived + firstToken + stream, (int)prompt, (int)cached, (int)output);
    }
}
