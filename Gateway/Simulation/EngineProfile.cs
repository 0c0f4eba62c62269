namespace Gateway.Simulation;

/// <summary>A measured point of the token-wise layers: what they cost in a step of that many tokens.</summary>
public readonly record struct LayerTime(int Tokens, double Milliseconds);

/// <summary>
/// What one engine on one GPU (or one group of GPUs) costs per step and how much it holds. Immutable; times are milliseconds per step.
/// </summary>
/// <remarks>The pieces and how they add up are those of <see cref="StepTime"/>.</remarks>
public sealed record EngineProfile
{
    /// <summary>Short name by which users ask for it, such as <c>rtx4090-llama-8b</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Where the constants come from, in one line.</summary>
    public required string Source { get; init; }

    /// <summary>Token-wise layers by tokens in the step, ascending, linear in between. At least one point.</summary>
    public required IReadOnlyList<LayerTime> Layers { get; init; }

    /// <summary>Milliseconds per token beyond the last point of <see cref="Layers"/>.</summary>
    public required double LayersPerTokenBeyond { get; init; }

    /// <summary>Logits and sampling, whatever the batch.</summary>
    public required double Head { get; init; }

    /// <summary>Logits and sampling per sequence in the step.</summary>
    public double HeadPerSequence { get; init; } = 0.0035;

    /// <summary>Decode attention of a step that decodes at all.</summary>
    public double DecodeFixed { get; init; } = 0.3;

    /// <summary>Decode attention per decoding sequence.</summary>
    public required double DecodePerSequence { get; init; }

    /// <summary>Decode attention per context token read: bytes of KV per token over the memory's bandwidth.</summary>
    public required double DecodePerContextToken { get; init; }

    /// <summary>Prefill attention of a step that prefills at all.</summary>
    public double PrefillFixed { get; init; } = 0.3;

    /// <summary>Prefill attention per pair of a chunk's token with a token it looks at.</summary>
    public required double PrefillPerTokenPair { get; init; }

    /// <summary>Factor on decode attention in a step that also prefills; at least 1.</summary>
    public double MixedDecodeFactor { get; init; } = 1;

    /// <summary>Host work of every step.</summary>
    public double Overhead { get; init; }

    /// <summary>KV cache blocks of the engine.</summary>
    public required int KvBlocks { get; init; }

    /// <summary>Tokens per KV block.</summary>
    public int BlockTokens { get; init; } = 16;

    /// <summary>Most sequences in one step (<c>--max-num-seqs</c>).</summary>
    public required int MaxSequences { get; init; }

    /// <summary>Most tokens in one step (<c>--max-num-batched-tokens</c>), which is also the largest prefill chunk.</summary>
    public required int MaxBatchedTokens { get; init; }

    /// <summary>Longest prompt plus answer that the engine accepts, in tokens.</summary>
    public int MaxModelTokens { get; init; } = 32_768;

    /// <summary>
    /// Whether a request starts only when blocks for its whole prompt are free. True is the behaviour of vLLM 0.19; older ones looked at the first chunk only.
    /// </summary>
    public bool ReservesFullPrompt { get; init; } = true;

    /// <summary>Whether the beginnings of prompts are kept for those that begin alike (<c>--enable-prefix-caching</c>).</summary>
    public bool CachesPrefixes { get; init; } = true;

    /// <summary>KV room in tokens.</summary>
    public long KvTokens => (long)KvBlocks * BlockTokens;
}
