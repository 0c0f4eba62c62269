namespace Gateway.Simulation;

/// <summary>One sequence to run on an <see cref="EngineModel"/>.</summary>
public readonly record struct EngineRequest
{
    /// <summary>Tokens of the prompt, at least 1.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>Tokens that will be generated; 0 for a request that only prefills (embeddings, scores).</summary>
    public required int OutputTokens { get; init; }

    /// <summary>
    /// Chained hashes of the full blocks of the prompt, in order, each covering all before it; may go on with the blocks of the future answer, so that a
    /// next turn finds them too. Blocks without a hash are never found again, by nobody, not even by the request itself after a preemption. The caller leaves the memory unchanged while the request lives.
    /// </summary>
    public ReadOnlyMemory<ulong> BlockHashes { get; init; }

    /// <summary>Lower goes first (vLLM's sign); looked at only under <see cref="SchedulingPolicy.Priority"/>.</summary>
    public int Priority { get; init; }
}

/// <summary>The order of waiting requests in an engine.</summary>
public enum SchedulingPolicy
{
    /// <summary>First come, first served; a preempted request returns to the front.</summary>
    Fcfs,

    /// <summary>Lower priority number first, ties by arrival; a preempted request waits by its own number again.</summary>
    Priority,
}

/// <summary>What the end of a step brought one request.</summary>
/// <param name="Handle">The request, as <see cref="EngineModel.Submit"/> named it; free for another one after <paramref name="IsFinished"/>.</param>
/// <param name="Generated">Tokens generated so far, this one included; 0 when a prefill-only request ends.</param>
/// <param name="IsFinished">Whether the request left the engine.</param>
/// <param name="CachedTokens">Prompt tokens that the prefix cache gave at the first admission.</param>
public readonly record struct EngineToken(int Handle, int Generated, bool IsFinished, int CachedTokens);

/// <summary>The engine's gauges and totals at one moment; tokens and requests are counts since the start.</summary>
public readonly record struct EngineCounters
{
    public int Running { get; init; }

    public int Waiting { get; init; }

    /// <summary>Blocks in use; cached blocks that nobody refers to count as free.</summary>
    public int UsedBlocks { get; init; }

    public int TotalBlocks { get; init; }

    public long Preemptions { get; init; }

    /// <summary>Prompt tokens looked up in the prefix cache, once per request.</summary>
    public long PrefixQueryTokens { get; init; }

    /// <summary>Prompt tokens found there.</summary>
    public long PrefixHitTokens { get; init; }

    public long Steps { get; init; }

    /// <summary>Tokens computed in all steps, recomputed ones included.</summary>
    public long StepTokens { get; init; }

    /// <summary>Prompt tokens of requests whose prefill ended.</summary>
    public long PromptTokens { get; init; }

    public long GeneratedTokens { get; init; }

    /// <summary>Share of the KV blocks in use, 0 to 1.</summary>
    public double KvUsage => TotalBlocks == 0 ? 0 : (double)UsedBlocks / TotalBlocks;
}
