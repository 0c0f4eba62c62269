using System.Globalization;

namespace Gateway.Replay.Traces.Readers;

/// <summary>The Azure LLM inference traces of 2023 and 2024 as published: wall-clock TIMESTAMP, ContextTokens, GeneratedTokens.</summary>
internal static class AzureReader
{
    private static readonly string[] Required = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];

    public static IEnumerable<TraceRequest> Read(LineReader lines)
    {
        var clock = new ArrivalClock();
        foreach (var row in CsvRows.Read(lines, Required))
        {
            yield return new TraceRequest
            {
                Arrival = clock.Next(Milliseconds(row), row.Spot),
                InputTokens = row.Count("ContextTokens", 1),
                OutputTokens = row.Count("GeneratedTokens", 0),
            };
        }
    }

    private static double Milliseconds(CsvRow row) =>
        DateTimeOffset.TryParse(row.RequiredText("TIMESTAMP"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var at) && at >= DateTimeOffset.UnixEpoch
            ? (at - DateTimeOffset.UnixEpoch).TotalMilliseconds
            : throw row.Spot.Wrong($"TIMESTAMP is \"{row.Shown("TIMESTAMP")}\". Allowed: a date and time such as 2023-11-16 18:15:46.6805900.");
}
