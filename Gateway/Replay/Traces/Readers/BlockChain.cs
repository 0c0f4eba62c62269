using Gateway.Simulation;

namespace Gateway.Replay.Traces.Readers;

/// <summary>Makes of ids, each naming one block, hashes that each cover all blocks before: equal as long as the ids are equal from the first on.</summary>
internal static class BlockChain
{
    /// <summary>Chains in place.</summary>
    /// <param name="ids">Become the hashes.</param>
    /// <param name="salt">The space in which the ids hold: 0 for the whole file.</param>
    public static ulong[] Of(ulong[] ids, ulong salt = 0)
    {
        var hash = salt;
        for (var i = 0; i < ids.Length; i++)
        {
            hash = Hashing.Chain(hash, ids[i]);
            ids[i] = hash;
        }

        return ids;
    }
}
