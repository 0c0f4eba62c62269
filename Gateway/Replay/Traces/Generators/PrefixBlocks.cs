using Gateway.Simulation;

namespace Gateway.Replay.Traces.Generators;

/// <summary>Block hashes of prompts that were never written: a shared part, then a part of one's own.</summary>
internal static class PrefixBlocks
{
    /// <summary>Tokens per block, as most engines have it.</summary>
    public const int BlockTokens = 16;

    /// <summary>The full blocks of a prompt. Of two with the same <paramref name="shared"/> the blocks inside the shared part are equal; with the same <paramref name="own"/> too, all are.</summary>
    public static ulong[] Of(ulong shared, int sharedTokens, ulong own, int inputTokens)
    {
        var blocks = new ulong[inputTokens / BlockTokens];
        var hash = 0UL;
        for (var i = 0; i < blocks.Length; i++)
        {
            var source = (i + 1) * BlockTokens <= sharedTokens ? shared : own;
            blocks[i] = hash = Hashing.Chain(hash, source + (ulong)i);
        }

        return blocks;
    }
}
