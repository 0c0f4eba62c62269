using System.Globalization;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Normalised CSV: timestamp_ms, input_tokens, output_tokens; where known client_id, session_id, model, hash_ids (separated by spaces).</summary>
internal static class CsvReader
{
    private static readonly string[] Required = ["timestamp_ms", "input_tokens", "output_tokens"];

    public static IEnumerable<TraceRequest> Read(LineReader lines)
    {
        var clock = new ArrivalClock();
        foreach (var row in CsvRows.Read(lines, Required))
        {
            yield return new TraceRequest
            {
                Arrival = clock.Next(row.Number("timestamp_ms"), row.Spot),
                InputTokens = row.Count("input_tokens", 1),
                OutputTokens = row.Count("output_tokens", 0),
                ClientId = row.Text("client_id"),
                SessionId = row.Text("session_id"),
                Model = row.Text("model"),
                Blocks = BlockChain.Of(Ids(row)),
            };
        }
    }

    private static ulong[] Ids(CsvRow row)
    {
        if (row.Text("hash_ids") is not { } text)
        {
            return [];
        }

        var words = text.Split([' ', ';', '|'], StringSplitOptions.RemoveEmptyEntries);
        var ids = new ulong[words.Length];
        for (var i = 0; i < words.Length; i++)
        {
            if (!ulong.TryParse(words[i], NumberStyles.None, CultureInfo.InvariantCulture, out ids[i]))
            {
                throw row.Spot.Wrong($"hash_ids is \"{row.Shown("hash_ids")}\". Allowed: whole numbers with spaces between them.");
            }
        }

        return ids;
    }
}
