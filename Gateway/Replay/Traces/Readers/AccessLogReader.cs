using System.Globalization;
using System.Text.Json;
using Gateway.Requests;

namespace Gateway.Replay.Traces.Readers;

/// <summary>
/// The gateway's own access log. Lines stand there in the order of the answers' ends, so they are put back into the order of arrival within a window of
/// <see cref="Window"/> requests. What was asked but not answered in full counts with its estimated length; what was no valid request, or ran no model, is left out.
/// </summary>
internal static class AccessLogReader
{
    /// <summary>Requests that may end between a request's arrival and its end.</summary>
    public const int Window = 1 << 16;

    /// <summary>The log has hashes over bytes; blocks of one size for all rows keep shared prefixes shared.</summary>
    private const int BytesPerToken = 4;

    public static IEnumerable<TraceRequest> Read(LineReader lines)
    {
        var clock = new ArrivalClock();
        var waiting = new PriorityQueue<(TraceRequest Request, TimeSpan Time, TraceSpot Spot), (TimeSpan, long)>();
        while (lines.Next(out var line))
        {
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            var time = Time(row);
            if (RequestOf(row) is not { } request)
            {
                continue;
            }

            waiting.Enqueue((request, time, row.Spot), (time, row.Spot.Line));
            if (waiting.Count > Window)
            {
                yield return Dated(waiting.Dequeue(), clock);
            }
        }

        while (waiting.TryDequeue(out var next, out _))
        {
            yield return Dated(next, clock);
        }
    }

    private static TraceRequest Dated((TraceRequest Request, TimeSpan Time, TraceSpot Spot) row, ArrivalClock clock) =>
        clock.IsBefore(row.Time)
            ? throw row.Spot.Wrong($"the request came before one that stands more than {Window} requests above. Allowed: the log as the gateway wrote it.")
            : row.Request with { Arrival = clock.Next(row.Time, row.Spot) };

    private static TimeSpan Time(JsonRow row) =>
        DateTimeOffset.TryParse(row.Text("time") ?? throw row.Missing("time"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at >= DateTimeOffset.UnixEpoch
            ? at - DateTimeOffset.UnixEpoch
            : throw row.Spot.Wrong("time is no date. Allowed: a date and time such as 2026-01-31T12:00:00.000Z.");

    private static TraceRequest? RequestOf(JsonRow row)
    {
        var outcome = row.Text("outcome") ?? throw row.Missing("outcome");
        var input = row.Count(0, "prompt_tokens", "estimated_prompt_tokens") ?? 0;
        if (outcome == "client_error" || input == 0 || (row.Text("route") is { } route && ApiRoute.IsWithoutRoom(route)))
        {
            return null;
        }

        var output = row.Count(0, "output_tokens") ?? 0;
        if (outcome != "success" || row.Find("censored") is { ValueKind: JsonValueKind.True })
        {
            output = Math.Max(output, (int)Math.Min(JsonRow.MostTokens, Math.Round(row.Number("estimated_output_tokens") ?? 0)));
        }

        var (blocks, blockTokens) = BlocksOf(row, input);
        return new TraceRequest
        {
            Arrival = TimeSpan.Zero,
            InputTokens = input,
            OutputTokens = output,
            ClientId = row.Label("tenant"),
            SessionId = row.Label("session"),
            Model = row.Label("model"),
            MaxOutputTokens = row.Count(0, "max_output_tokens"),
            Priority = PriorityOf(row),
            Blocks = blocks,
            BlockTokens = blockTokens,
        };
    }

    private static (ReadOnlyMemory<ulong> Blocks, int BlockTokens) BlocksOf(JsonRow row, int input)
    {
        if (row.Find("prefix") is not { } prefix)
        {
            return default;
        }

        if (prefix.ValueKind != JsonValueKind.Array)
        {
            throw row.Spot.Wrong("prefix is no array. Allowed: hashes of 16 hexadecimal digits.");
        }

        var size = Math.Max(1, row.RequiredCount(1, "prefix_block_bytes") / BytesPerToken);
        var hashes = new ulong[Math.Min(prefix.GetArrayLength(), (input + size - 1) / size)];
        for (var i = 0; i < hashes.Length; i++)
        {
            if (prefix[i].ValueKind != JsonValueKind.String || !ulong.TryParse(JsonRow.StringOf(prefix[i], row.Spot), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out hashes[i]))
            {
                throw row.Spot.Wrong(string.Create(CultureInfo.InvariantCulture, $"prefix[{i}] is no hash. Allowed: 16 hexadecimal digits."));
            }
        }

        return (hashes, hashes.Length > 0 ? size : 0);
    }

    private static PriorityClass PriorityOf(JsonRow row) => row.Text("priority") switch
    {
        null or "default" => PriorityClass.Default,
        "interactive" => PriorityClass.Interactive,
        "batch" => PriorityClass.Batch,
        _ => throw row.Spot.Wrong("priority is unknown. Allowed: interactive, default, batch."),
    };
}
