using System.Text;
using System.Text.Json;
using Gateway.Replay.Traces.Generators;
using Gateway.Simulation;

namespace Gateway.Replay.Traces.Readers;

/// <summary>
/// What benchmark tools read and write: rows of vLLM's custom dataset and of AIPerf (timestamp in ms, or session_id with delay in ms after the last answer,
/// or no time at all), engine logs with queued_ts in seconds, and saved results of <c>vllm bench serve</c> with one array per field.
/// </summary>
/// <remarks>An input length stands for the whole prompt, earlier turns included. Where only a text is given its tokens are counted by <see cref="SimulatedTokenizer"/>.</remarks>
internal static class BenchReader
{
    /// <summary>Fields that tell such a file from others.</summary>
    public static readonly string[] Marks = [.. Inputs, "input_lens", "text_input", "prompt"];

    private const int MostSessions = 1_000_000;

    private static string[] Inputs => ["input_length", "input_tokens", "prompt_len", "input_len", "input_toks", "prompt_tokens"];

    private static string[] Outputs => ["output_length", "output_tokens", "output_len", "output_toks", "expected_output_len"];

    public static IEnumerable<TraceRequest> Read(LineReader lines, TraceSettings settings)
    {
        var clock = new ArrivalClock();
        var starts = ArrivalProcess.Parse(settings.Arrivals).Times(Chance.Stream(settings.Seed, "arrivals")).GetEnumerator();
        var sessions = new HashSet<ulong>();
        bool? hasTimes = null;
        while (lines.Next(out var line))
        {
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            if (row.Find("input_lens") is { } inputs)
            {
                foreach (var request in BenchResult.Read(row, inputs, starts))
                {
                    yield return request;
                }

                continue;
            }

            var session = row.Label("session_id");
            var isLater = session is not null && !sessions.Add(Hashing.Chain(0, Encoding.UTF8.GetBytes(session)));
            if (sessions.Count > MostSessions)
            {
                throw row.Spot.Wrong($"more than {MostSessions} sessions in one file.");
            }

            var time = row.Number("timestamp", "timestamp_ms") ?? row.Number("queued_ts") * 1000;
            hasTimes ??= time is not null;
            if (hasTimes != (time is not null) && !isLater)
            {
                throw row.Spot.Wrong(hasTimes.Value ? "timestamp is missing. Either every row has one, or it is a later turn of a session." : "timestamp is there, but rows above have none. Either all have one or none.");
            }

            var arrival = time is { } at ? clock.Next(at, row.Spot)
                : hasTimes.Value ? clock.Latest
                : isLater ? starts.Current
                : Following(starts);
            yield return RequestOf(row) with { Arrival = arrival, SessionId = session, Think = isLater && time is null ? Pause(row) : null };
        }
    }

    private static TimeSpan Following(IEnumerator<TimeSpan> starts)
    {
        starts.MoveNext();
        return starts.Current;
    }

    private static TimeSpan Pause(JsonRow row) => AgentSessionReader.Span(row.Number("delay") ?? 0, row.Spot);

    private static TraceRequest RequestOf(JsonRow row)
    {
        var text = row.Find("text_input", "prompt") is { ValueKind: JsonValueKind.String } found ? found.GetString() : null;
        var tokens = row.Count(1, Inputs)
            ?? (string.IsNullOrEmpty(text) ? throw row.Missing(Inputs) : Math.Max(1, SimulatedTokenizer.Count(Encoding.UTF8.GetBytes(text))));
        var request = new TraceRequest
        {
            Arrival = TimeSpan.Zero,
            InputTokens = tokens,
            OutputTokens = row.RequiredCount(0, Outputs),
            ClientId = row.Label("client_id"),
            Model = row.Label("model"),
            Blocks = BlockChain.Of(row.Ids("hash_ids")),
        };
        return text is null ? request : TextBlocks.Give(request, text);
    }
}
