namespace Gateway.Replay.Traces.Readers;

/// <summary>How a trace file is written.</summary>
internal enum TraceFormat
{
    /// <summary>Normalised CSV: timestamp_ms, input_tokens, output_tokens, and more where known.</summary>
    Csv,

    /// <summary>The same as JSON lines.</summary>
    Jsonl,

    /// <summary>Azure LLM inference trace: TIMESTAMP, ContextTokens, GeneratedTokens.</summary>
    Azure,

    /// <summary>Mooncake: timestamp, input_length, output_length, hash_ids of 512-token blocks.</summary>
    Mooncake,

    /// <summary>Rows or results of vLLM's bench and of AIPerf.</summary>
    Bench,

    /// <summary>The gateway's own access log.</summary>
    AccessLog,

    /// <summary>Texts with the length of their answers, or whole conversations.</summary>
    Prompts,

    /// <summary>Recorded agent sessions with times of their own: t_ms, think_ms, hash_ranges.</summary>
    Sessions,
}

/// <summary>The words before the colon of <c>FORMAT:FILE</c>.</summary>
internal static class FormatNames
{
    private static readonly (string Name, TraceFormat Format)[] Known =
    [
        ("azure", TraceFormat.Azure), ("mooncake", TraceFormat.Mooncake), ("csv", TraceFormat.Csv), ("jsonl", TraceFormat.Jsonl),
        ("bench", TraceFormat.Bench), ("accesslog", TraceFormat.AccessLog), ("prompts", TraceFormat.Prompts), ("agents", TraceFormat.Sessions),
    ];

    public static IEnumerable<string> All => Known.Select(entry => entry.Name);

    /// <returns>Null: no format of that name.</returns>
    public static TraceFormat? Find(string name)
    {
        foreach (var entry in Known)
        {
            if (entry.Name == name)
            {
                return entry.Format;
            }
        }

        return null;
    }
}
