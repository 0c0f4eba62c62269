namespace Gateway.Simulation;

/// <summary>The KV memory of one engine as sequences use it: growth, prefix hits, release. Not thread-safe.</summary>
internal sealed class KvCache(EngineProfile profile)
{
    private readonly BlockPool _pool = new(profile.KvBlocks);
    private readonly int _blockTokens = profile.BlockTokens;
    private readonly bool _keepsPrefixes = profile.CachesPrefixes;

    public int TotalBlocks => _pool.Total;

    public int FreeBlocks => _pool.Free;

    public int BlocksFor(long tokens) => (int)((tokens + _blockTokens - 1) / _blockTokens);

    /// <summary>Blocks that a sequence still lacks to hold this many tokens.</summary>
    public int Missing(Sequence sequence, int tokens) => BlocksFor(tokens) - sequence.BlockCount;

    /// <summary>Gives a sequence that many fresh blocks; the caller has seen that they are free.</summary>
    public void Take(Sequence sequence, int blocks)
    {
        for (; blocks > 0; blocks--)
        {
            sequence.AddBlock(_pool.Take());
        }
    }

    /// <summary>How many leading blocks of a sequence the cache holds, and how many of them nobody refers to.</summary>
    public int FindPrefix(Sequence sequence, out int free)
    {
        free = 0;

        // At least one token is left to compute, since only a computed token gives logits.
        var hashes = sequence.Request.BlockHashes.Span;
        var most = _keepsPrefixes ? Math.Min((sequence.Known - 1) / _blockTokens, hashes.Length) : 0;
        for (var index = 0; index < most; index++)
        {
            var block = _pool.Find(hashes[index]);
            if (block < 0)
            {
                return index;
            }

            free += _pool.IsFree(block) ? 1 : 0;
        }

        return most;
    }

    /// <summary>Gives a sequence the leading blocks that <see cref="FindPrefix"/> found.</summary>
    public void SharePrefix(Sequence sequence, int blocks)
    {
        var hashes = sequence.Request.BlockHashes.Span;
        for (var index = 0; index < blocks; index++)
        {
            var block = _pool.Find(hashes[index]);
            _pool.Share(block);
            sequence.AddBlock(block);
        }

        sequence.NamedBlocks = blocks;
        sequence.Computed = blocks * _blockTokens;
    }

    /// <summary>Makes the blocks of a sequence findable that are full once the step is computed for which it is scheduled.</summary>
    public void NameFullBlocks(Sequence sequence)
    {
        var hashes = sequence.Request.BlockHashes.Span;
        for (var full = Math.Min((sequence.Computed + sequence.Scheduled) / _blockTokens, hashes.Length); sequence.NamedBlocks < full; sequence.NamedBlocks++)
        {
            _pool.Name(sequence.Blocks[sequence.NamedBlocks], hashes[sequence.NamedBlocks]);
        }
    }

    /// <summary>Takes all blocks of a sequence back, the tail first: a prefix is worth more than what follows it.</summary>
    public void Release(Sequence sequence)
    {
        for (var index = sequence.BlockCount - 1; index >= 0; index--)
        {
            _pool.Release(sequence.Blocks[index]);
        }

        sequence.LoseBlocks();
    }
}
