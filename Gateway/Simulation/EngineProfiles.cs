using System.Collections.Frozen;

namespace Gateway.Simulation;

/// <summary>The profiles that come with the product, by name.</summary>
public static class EngineProfiles
{
    /// <summary>Llama-3.1-8B in bfloat16 on an RTX 4090.</summary>
    /// <remarks>
    /// Fitted to LLMServingSim's kernel tables of vLLM 0.19 (5daddb21a545); KV blocks, limits and admission as that run's engine recorded them.
    /// </remarks>
    public static EngineProfile Rtx4090Llama8B { get; } = new()
    {
        Name = "rtx4090-llama-8b",
        Source = "LLMServingSim kernel tables, vLLM 0.19; 2,588 KV blocks as recorded by the engine",
        Layers = [new(1, 15.2), new(64, 17.4), new(128, 19.7), new(256, 23.9)],
        LayersPerTokenBeyond = 0.0885,
        Head = 1.1,
        DecodePerSequence = 0.011,
        DecodePerContextToken = 1.40e-4,
        PrefillPerTokenPair = 4.4e-6,
        MixedDecodeFactor = 1.8,
        Overhead = 0.1,
        KvBlocks = 2_588,
        MaxSequences = 256,
        MaxBatchedTokens = 2_048,
    };

    /// <summary>Llama-3.1-8B in bfloat16 on an RTX PRO 6000 (96 GB).</summary>
    /// <remarks>
    /// Same source as the RTX 4090. The KV room was not recorded: 0.9 of the memory less 15 GiB of weights and 3 GiB of the engine's own, at 128 KiB per
    /// token. The 2 ms of overhead fit the run and are not otherwise explained.
    /// </remarks>
    public static EngineProfile RtxPro6000Llama8B { get; } = new()
    {
        Name = "rtxpro6000-llama-8b",
        Source = "LLMServingSim kernel tables, vLLM 0.19; KV blocks derived from the memory",
        Layers = [new(1, 10.1), new(64, 11.0), new(128, 11.6), new(256, 13.9)],
        LayersPerTokenBeyond = 0.0355,
        Head = 0.74,
        DecodePerSequence = 0.007,
        DecodePerContextToken = 8.7e-5,
        PrefillPerTokenPair = 2.0e-6,
        MixedDecodeFactor = 1.4,
        Overhead = 2.0,
        KvBlocks = 34_800,
        MaxSequences = 128,
        MaxBatchedTokens = 2_048,
    };

    /// <summary>Llama-3-8B in bfloat16 on an A100 with 80 GB.</summary>
    /// <remarks>
    /// Layers: Vidur's profile. Head: 1.05 GB of output matrix over 1.7 TB/s. KV reads: 128 KiB per token over 1.75 TB/s. Prefill attention: 4 x heads x head
    /// size x layers operations per pair at 0.6 of the peak of 312 TFLOP/s. Per sequence, mix and overhead: between the two measured GPUs. KV: 440,000 tokens.
    /// </remarks>
    public static EngineProfile A100Llama8B { get; } = new()
    {
        Name = "a100-80g-llama-8b",
        Source = "Vidur layer profile; attention from peak and bandwidth; KV room from the memory",
        Layers =
        [
            new(1, 9.70), new(32, 10.9), new(64, 11.2), new(128, 13.2), new(256, 19.5), new(512, 34.6), new(1024, 75), new(2048, 146), new(4096, 274),
        ],
        LayersPerTokenBeyond = 0.0625,
        Head = 0.7,
        DecodePerSequence = 0.009,
        DecodePerContextToken = 7.5e-5,
        PrefillPerTokenPair = 2.8e-6,
        MixedDecodeFactor = 1.5,
        Overhead = 1.0,
        KvBlocks = 27_500,
        MaxSequences = 256,
        MaxBatchedTokens = 2_048,
    };

    /// <summary>Llama-3.1-8B in bfloat16 on an H100 with 80 GB.</summary>
    /// <remarks>
    /// Layers: Vidur's Llama-2-7B table times 1.19, the ratio of parameters. Decode: BLIS' physics form (7.7 + 0.0044 B + 7.6e-5 KV), which the fixed pieces
    /// add up to. Prefill attention: as for the A100, at 0.6 of 989 TFLOP/s. KV: 29,205 blocks, BLIS. Limits: vLLM's server defaults for large GPUs.
    /// </remarks>
    public static EngineProfile H100Llama8B { get; } = new()
    {
        Name = "h100-llama-8b",
        Source = "Vidur layer profile scaled by parameters; BLIS decode form and KV blocks; prefill attention from the peak",
        Layers =
        [
            new(1, 6.7), new(32, 6.9), new(64, 7.0), new(128, 7.6), new(256, 10.9), new(512, 14.3), new(1024, 25.0), new(2048, 48.2), new(4096, 99.4),
        ],
        LayersPerTokenBeyond = 0.025,
        Head = 0.4,
        DecodePerSequence = 0.0044,
        DecodePerContextToken = 7.6e-5,
        PrefillPerTokenPair = 8.8e-7,
        MixedDecodeFactor = 1.4,
        Overhead = 0.3,
        KvBlocks = 29_205,
        MaxSequences = 1_024,
        MaxBatchedTokens = 8_192,
        MaxModelTokens = 131_072,
    };

    /// <summary>Qwen2.5-7B-1M in bfloat16 on an H100 with 80 GB: for prompts that no other profile has room for.</summary>
    /// <remarks>
    /// Derived from <see cref="H100Llama8B"/>: layers times 0.94, the ratio of parameters without embeddings; KV 56 KiB per token instead of 128 for its reads and its
    /// room, weights 0.8 GiB less; prefill attention for 28 heads and 28 layers, dense. The model's own sparse attention is faster on long prompts.
    /// </remarks>
    public static EngineProfile H100Qwen7BLong { get; } = H100Llama8B with
    {
        Name = "h100-qwen-7b-1m",
        Source = "h100-llama-8b scaled by parameters, KV bytes and heads; no measured run",
        Layers =
        [
            new(1, 6.3), new(32, 6.5), new(64, 6.6), new(128, 7.1), new(256, 10.2), new(512, 13.4), new(1024, 23.5), new(2048, 45.3), new(4096, 93.4),
        ],
        LayersPerTokenBeyond = 0.0235,
        DecodePerContextToken = 3.3e-5,
        PrefillPerTokenPair = 6.8e-7,
        KvBlocks = 67_600,
        MaxModelTokens = 1_010_000,
    };

    /// <summary>Llama-3.3-70B in bfloat16 on four H100 (tensor parallel).</summary>
    /// <remarks>
    /// BLIS' linear fit for vLLM 0.11 (12,601 us + 76.4 us per token), its 66.8 us per decode folded into the tokens. KV reads: 80 KiB per token and GPU
    /// over 2.8 TB/s. Prefill attention: as for the A100, at 0.6 of four times 989 TFLOP/s. KV room: 0.9 of 320 GB less 141 GB of weights and 3 GiB per GPU, at 320 KiB per token.
    /// </remarks>
    public static EngineProfile H100X4Llama70B { get; } = new()
    {
        Name = "h100x4-llama-70b",
        Source = "BLIS linear fit, vLLM 0.11; KV room from the memory",
        Layers = [new(1, 11.5)],
        LayersPerTokenBeyond = 0.0764,
        Head = 0.5,
        DecodePerSequence = 0,
        DecodePerContextToken = 2.9e-5,
        PrefillPerTokenPair = 1.1e-6,
        MixedDecodeFactor = 1.4,
        Overhead = 0.3,
        KvBlocks = 25_600,
        MaxSequences = 1_024,
        MaxBatchedTokens = 8_192,
        MaxModelTokens = 131_072,
    };

    /// <summary>No real hardware: steps of about 5 ms, for demonstrations and tests.</summary>
    public static EngineProfile Demo { get; } = new()
    {
        Name = "demo",
        Source = "made up: about 5 ms per step, 65,536 tokens of KV",
        Layers = [new(1, 4.0), new(256, 5.0)],
        LayersPerTokenBeyond = 0.01,
        Head = 0.3,
        DecodePerSequence = 0.01,
        DecodePerContextToken = 1.0e-5,
        PrefillPerTokenPair = 1.0e-7,
        MixedDecodeFactor = 1.2,
        KvBlocks = 4_096,
        MaxSequences = 64,
        MaxBatchedTokens = 2_048,
    };

    private static readonly FrozenDictionary<string, EngineProfile> ByName =
        new[] { Demo, Rtx4090Llama8B, RtxPro6000Llama8B, A100Llama8B, H100Llama8B, H100Qwen7BLong, H100X4Llama70B }.ToFrozenDictionary(profile => profile.Name, StringComparer.OrdinalIgnoreCase);

    /// <summary>Every name that <see cref="Find"/> knows, in ordinal order.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. ByName.Keys.Order(StringComparer.Ordinal)];

    /// <summary>The profile of that name, whatever its case; null when there is none.</summary>
    public static EngineProfile? Find(string name) => ByName.GetValueOrDefault(name);
}
