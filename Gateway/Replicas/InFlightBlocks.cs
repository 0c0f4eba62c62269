using System.Runtime.InteropServices;

namespace Gateway.Replicas;

/// <summary>What a prompt would share with those in flight.</summary>
/// <param name="Tokens">Prompt tokens that are held already.</param>
/// <param name="MovedTokens">Of them, those that one request alone holds now and that would be shared by two.</param>
/// <param name="Sole">That one; null when there is none.</param>
internal readonly record struct PromptOverlap(long Tokens, long MovedTokens, LoadReservation? Sole);

/// <summary>The prompt blocks that requests in flight at one replica hold, each counted once however many hold it. Not thread-safe.</summary>
/// <remarks>
/// Hashes are chained, so who holds a block holds all before it: what a prompt finds here is a beginning of it, and its end is found by doubling and halving.
/// The holders of a block are kept as their number and the exclusive or of their ids, which names the last one left without a list.
/// </remarks>
internal sealed class InFlightBlocks
{
    private const int FirstBits = 8;

    private readonly Dictionary<ulong, Holding> _blocks = [];
    private readonly Stack<int> _freeIds = new();

    // A small filter, by a few bits of the first block of each prompt in flight: most prompts share nothing with those at a replica, and asking the large table costs cache misses.
    private readonly int[] _firsts = new int[1 << FirstBits];
    private LoadReservation?[] _byId = new LoadReservation?[16];
    private int _ids;

    private struct Holding
    {
        public int Holders;
        public int HoldersXor;
        public int Tokens;
    }

    /// <summary>Different blocks held.</summary>
    public int Count => _blocks.Count;

    /// <summary>Tokens of the blocks with two holders or more, each block once.</summary>
    public long SharedTokens { get; private set; }

    /// <summary>What the sum over all prompts counts too often.</summary>
    public long RepeatedTokens { get; private set; }

    /// <summary>A request begins to hold its blocks.</summary>
    /// <param name="holder">Its <see cref="LoadReservation.SharedTokens"/> is set.</param>
    /// <param name="changed">Hears of others whose shared tokens changed.</param>
    public void Add(LoadReservation holder, Action<LoadReservation> changed)
    {
        var blocks = holder.Load.Blocks;
        if (blocks.Length == 0)
        {
            return;
        }
        holder.Id = TakeId(holder);
        _firsts[FirstOf(blocks)]++;
        foreach (var block in blocks)
        {
            ref var holding = ref CollectionsMarshal.GetValueRefOrAddDefault(_blocks, block, out var isHeld);
            if (!isHeld)
            {
                holding.Tokens = holder.Load.BlockTokens;
            }
            else
            {
                RepeatedTokens += holding.Tokens;
                holder.SharedTokens += holding.Tokens;
                if (holding.Holders == 1)
                {
                    Share(holding, holding.Tokens, holder, changed);
                }
            }
            holding.Holders++;
            holding.HoldersXor ^= holder.Id;
        }
    }

    /// <summary>A request holds its blocks no longer; those with another holder stay.</summary>
    public void Remove(LoadReservation holder, Action<LoadReservation> changed)
    {
        var blocks = holder.Load.Blocks;
        if (blocks.Length == 0)
        {
            return;
        }
        foreach (var block in blocks)
        {
            ref var holding = ref CollectionsMarshal.GetValueRefOrNullRef(_blocks, block);
            holding.Holders--;
            holding.HoldersXor ^= holder.Id;
            if (holding.Holders == 0)
            {
                _blocks.Remove(block);
                continue;
            }
            RepeatedTokens -= holding.Tokens;
            if (holding.Holders == 1)
            {
                Share(holding, -holding.Tokens, holder, changed);
            }
        }
        _firsts[FirstOf(blocks)]--;
        _byId[holder.Id] = null;
        _freeIds.Push(holder.Id);
    }

    /// <summary>Whether a prompt may share anything; false is certain.</summary>
    public bool MayFind(in LoadProfile load) => load.Blocks is { Length: > 0 } blocks && _firsts[FirstOf(blocks)] > 0;

    /// <summary>What a prompt of these blocks would share.</summary>
    public PromptOverlap Find(in LoadProfile load)
    {
        var blocks = load.Blocks.AsSpan();
        var held = Depth(blocks, holders: 1);
        if (held == 0)
        {
            return default;
        }
        var deepest = _blocks[blocks[held - 1]];
        var tokens = Math.Min(load.BlockTokens, deepest.Tokens);
        return deepest.Holders > 1
            ? new PromptOverlap((long)held * tokens, 0, null)
            : new PromptOverlap((long)held * tokens, (long)(held - Depth(blocks[..held], holders: 2)) * tokens, _byId[deepest.HoldersXor]);
    }

    private static int FirstOf(ulong[] blocks) => (int)((blocks[0] * 0x9E3779B97F4A7C15UL) >> (64 - FirstBits));

    // How many of the first blocks have at least so many holders.
    private int Depth(ReadOnlySpan<ulong> blocks, int holders)
    {
        var (most, step) = (0, 1);
        while (most + step <= blocks.Length && Has(blocks[most + step - 1], holders))
        {
            most += step;
            step *= 2;
        }
        var beyond = Math.Min(most + step, blocks.Length + 1);
        while (beyond - most > 1)
        {
            var middle = (most + beyond) / 2;
            (most, beyond) = Has(blocks[middle - 1], holders) ? (middle, beyond) : (most, middle);
        }
        return most;
    }

    private bool Has(ulong block, int holders) => _blocks.TryGetValue(block, out var holding) && holding.Holders >= holders;

    private void Share(in Holding holding, int tokens, LoadReservation mover, Action<LoadReservation> changed)
    {
        SharedTokens += tokens;
        var sole = _byId[holding.HoldersXor]!;
        sole.SharedTokens += tokens;
        // It is the caller itself, where its prompt names a block twice: then its course is not in the list yet, or no longer.
        if (sole != mover)
        {
            changed(sole);
        }
    }

    private int TakeId(LoadReservation holder)
    {
        var id = _freeIds.Count > 0 ? _freeIds.Pop() : _ids++;
        if (id == _byId.Length)
        {
            Array.Resize(ref _byId, 2 * id);
        }
        _byId[id] = holder;
        return id;
    }
}
