using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces.Generators;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Readers;

/// <summary>
/// Recorded agent sessions, one after another: t_ms counts from the session's start, think_ms from its last answer, hash_ranges are [first, count] pairs of
/// ids that hold inside the session only. Sessions start by the arrival process of the settings; calls of a session's sub-agents follow one another.
/// </summary>
internal static class AgentSessionReader
{
    private const int RecordedBlockTokens = 64;

    public static IEnumerable<TraceRequest> Read(LineReader lines, TraceSettings settings)
    {
        var starts = ArrivalProcess.Parse(settings.Arrivals).Times(Chance.Stream(settings.Seed, "arrivals")).GetEnumerator();
        var (session, salt, lastTime) = ("", 0UL, 0.0);
        while (lines.Next(out var line))
        {
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            var id = row.Label("session_id") ?? throw row.Missing("session_id");
            var isFirst = id != session;
            if (isFirst)
            {
                (session, salt, lastTime) = (id, Hashing.Chain(0, Encoding.UTF8.GetBytes(id)), 0);
                starts.MoveNext();
            }

            var time = row.RequiredNumber("t_ms");
            if (time < lastTime)
            {
                throw row.Spot.Wrong("t_ms is before that of the session's turn above. The turns of a session must be sorted.");
            }

            lastTime = time;
            var inputTokens = row.RequiredCount(1, "input_tokens");
            var blocks = BlockChain.Of(Expanded(row, inputTokens), salt);
            yield return new TraceRequest
            {
                Arrival = starts.Current,
                InputTokens = inputTokens,
                OutputTokens = row.RequiredCount(0, "output_tokens"),
                SessionId = id,
                Think = isFirst ? null : Span(row.Number("think_ms") ?? 0, row.Spot),
                Model = row.Label("model"),
                Blocks = blocks,
                BlockTokens = blocks.Length > 0 ? RecordedBlockTokens : 0,
            };
        }
    }

    internal static TimeSpan Span(double milliseconds, TraceSpot spot) => milliseconds <= 1e12
        ? TimeSpan.FromMilliseconds(milliseconds)
        : throw spot.Wrong("the pause is out of range. Allowed: 0 to 1e12 ms.");

    // Ids beyond the prompt's end are dropped: nothing stands under them, and a few letters could ask for millions.
    private static ulong[] Expanded(JsonRow row, int inputTokens)
    {
        if (row.Find("hash_ranges") is not { } ranges)
        {
            return [];
        }

        var most = (JsonRow.MostTokens / RecordedBlockTokens) + 1;
        var ids = new List<ulong>();
        var isWhole = ranges.ValueKind == JsonValueKind.Array;
        foreach (var range in isWhole ? ranges.EnumerateArray() : default)
        {
            if (range.ValueKind != JsonValueKind.Array || range.GetArrayLength() != 2
                || range[0].ValueKind != JsonValueKind.Number || !range[0].TryGetUInt64(out var first)
                || range[1].ValueKind != JsonValueKind.Number || !range[1].TryGetInt32(out var count) || count < 0 || ids.Count + (long)count > most)
            {
                isWhole = false;
                break;
            }

            for (var i = 0; i < count && ids.Count < (inputTokens + RecordedBlockTokens - 1) / RecordedBlockTokens; i++)
            {
                ids.Add(first + (ulong)i);
            }
        }

        return isWhole ? [.. ids] : throw row.Spot.Wrong("hash_ranges is not a list of pairs. Allowed: [[first, count], ...] of whole numbers.");
    }
}
