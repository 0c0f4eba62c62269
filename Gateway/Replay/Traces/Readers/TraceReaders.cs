namespace Gateway.Replay.Traces.Readers;

/// <summary>The reader of each format.</summary>
internal static class TraceReaders
{
    /// <summary>Requests in the order of their arrival, one line in memory at a time.</summary>
    /// <exception cref="TraceException">A row that breaks the format, or a file without requests.</exception>
    public static IEnumerable<TraceRequest> Read(TraceFormat format, LineReader lines, TraceSettings settings)
    {
        var rows = format switch
        {
            TraceFormat.Csv => BlockSizes.Settle(CsvReader.Read(lines), settings.BlockTokens),
            TraceFormat.Azure => AzureReader.Read(lines),
            TraceFormat.Jsonl => BlockSizes.Settle(JsonReader.ReadNormalised(lines), settings.BlockTokens),
            TraceFormat.Mooncake => BlockSizes.Settle(JsonReader.ReadMooncake(lines), settings.BlockTokens ?? 512),
            TraceFormat.Bench => BlockSizes.Settle(BenchReader.Read(lines, settings), settings.BlockTokens),
            TraceFormat.AccessLog => AccessLogReader.Read(lines),
            TraceFormat.Prompts => PromptReader.Read(lines, settings),
            TraceFormat.Sessions => AgentSessionReader.Read(lines, settings),
            _ => throw new ArgumentOutOfRangeException(nameof(format)),
        };
        var any = false;
        foreach (var row in rows)
        {
            any = true;
            yield return row;
        }

        if (!any)
        {
            throw lines.Spot.Wrong("the file has no requests. A trace has at least one.");
        }
    }
}
