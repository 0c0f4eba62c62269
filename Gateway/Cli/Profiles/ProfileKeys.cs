using Gateway.Simulation;

namespace Gateway.Cli.Profiles;

/// <summary>One number of a profile as it stands in YAML.</summary>
/// <param name="Name">The key.</param>
/// <param name="Comment">What it is, with its unit.</param>
/// <param name="Least">Smallest value allowed.</param>
/// <param name="Most">Largest value allowed.</param>
/// <param name="Get">Reads it from a profile.</param>
/// <param name="Set">A copy of a profile with another value.</param>
/// <param name="IsWhole">Whether only whole numbers are allowed.</param>
/// <param name="IsRequired">Whether it has no default.</param>
internal sealed record ProfileKey(
    string Name,
    string Comment,
    double Least,
    double Most,
    Func<EngineProfile, double> Get,
    Func<EngineProfile, double, EngineProfile> Set,
    bool IsWhole = false,
    bool IsRequired = false);

/// <summary>The numbers of a profile, in the order of the file.</summary>
internal static class ProfileKeys
{
    public const double MostMilliseconds = 1e6;

    public static IReadOnlyList<ProfileKey> Numbers { get; } =
    [
        new("layersPerTokenBeyond", "ms per token beyond the last point of layers", 0, MostMilliseconds, p => p.LayersPerTokenBeyond, (p, v) => p with { LayersPerTokenBeyond = v }, IsRequired: true),
        new("head", "ms of logits and sampling, whatever the batch", 0, MostMilliseconds, p => p.Head, (p, v) => p with { Head = v }, IsRequired: true),
        new("headPerSequence", "ms of the same per sequence", 0, MostMilliseconds, p => p.HeadPerSequence, (p, v) => p with { HeadPerSequence = v }),
        new("decodeFixed", "ms of decode attention in a step that decodes", 0, MostMilliseconds, p => p.DecodeFixed, (p, v) => p with { DecodeFixed = v }),
        new("decodePerSequence", "ms per decoding sequence", 0, MostMilliseconds, p => p.DecodePerSequence, (p, v) => p with { DecodePerSequence = v }, IsRequired: true),
        new("decodePerContextToken", "ms per context token read", 0, MostMilliseconds, p => p.DecodePerContextToken, (p, v) => p with { DecodePerContextToken = v }, IsRequired: true),
        new("prefillFixed", "ms of prefill attention in a step that prefills", 0, MostMilliseconds, p => p.PrefillFixed, (p, v) => p with { PrefillFixed = v }),
        new("prefillPerTokenPair", "ms per pair of a chunk's token with one it looks at", 0, MostMilliseconds, p => p.PrefillPerTokenPair, (p, v) => p with { PrefillPerTokenPair = v }, IsRequired: true),
        new("mixedDecodeFactor", "decode attention costs this many times more beside a prefill", 1, 100, p => p.MixedDecodeFactor, (p, v) => p with { MixedDecodeFactor = v }),
        new("overhead", "ms of host work in every step", 0, MostMilliseconds, p => p.Overhead, (p, v) => p with { Overhead = v }),
        new("kvBlocks", "KV cache blocks", 1, 100_000_000, p => p.KvBlocks, (p, v) => p with { KvBlocks = (int)v }, IsWhole: true, IsRequired: true),
        new("blockTokens", "tokens per KV block", 1, 4_096, p => p.BlockTokens, (p, v) => p with { BlockTokens = (int)v }, IsWhole: true),
        new("maxSequences", "most sequences in one step (--max-num-seqs)", 1, 100_000, p => p.MaxSequences, (p, v) => p with { MaxSequences = (int)v }, IsWhole: true, IsRequired: true),
        new("maxBatchedTokens", "most tokens in one step (--max-num-batched-tokens)", 1, 1_000_000, p => p.MaxBatchedTokens, (p, v) => p with { MaxBatchedTokens = (int)v }, IsWhole: true, IsRequired: true),
        new("maxModelTokens", "longest prompt plus answer (--max-model-len)", 16, 100_000_000, p => p.MaxModelTokens, (p, v) => p with { MaxModelTokens = (int)v }, IsWhole: true),
    ];

    /// <summary>Every key at the top of the file.</summary>
    public static IReadOnlyList<string> Names { get; } = ["name", "source", "basedOn", "layers", .. Numbers.Select(number => number.Name), "reservesFullPrompt", "cachesPrefixes"];
}
