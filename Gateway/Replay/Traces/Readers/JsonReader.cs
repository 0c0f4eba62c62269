namespace Gateway.Replay.Traces.Readers;

/// <summary>JSON lines with a time, two lengths and hash ids: the normalised form, and Mooncake's.</summary>
internal static class JsonReader
{
    public static IEnumerable<TraceRequest> ReadNormalised(LineReader lines) => Read(lines, "timestamp_ms", "input_tokens", "output_tokens");

    public static IEnumerable<TraceRequest> ReadMooncake(LineReader lines) => Read(lines, "timestamp", "input_length", "output_length");

    private static IEnumerable<TraceRequest> Read(LineReader lines, string time, string input, string output)
    {
        var clock = new ArrivalClock();
        while (lines.Next(out var line))
        {
            using var document = JsonRow.Parse(line, lines.Spot);
            var row = new JsonRow(document.RootElement, lines.Spot);
            yield return new TraceRequest
            {
                Arrival = clock.Next(row.RequiredNumber(time), row.Spot),
                InputTokens = row.RequiredCount(1, input),
                OutputTokens = row.RequiredCount(0, output),
                ClientId = row.Label("client_id"),
                SessionId = row.Label("session_id"),
                Model = row.Label("model"),
                Blocks = BlockChain.Of(row.Ids("hash_ids")),
            };
        }
    }
}
