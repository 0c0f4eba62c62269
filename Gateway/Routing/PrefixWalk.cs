using System.Numerics;

namespace Gateway.Routing;

/// <summary>Along a prompt's blocks, from the first on: how many of them each slot holds. Keeps the last walk; not thread-safe.</summary>
/// <param name="blocks">Who holds which block.</param>
internal sealed class PrefixWalk(HolderTable blocks)
{
    private int[] _reach = [];
    private ulong[] _holders = [];
    private ulong[] _leavers = [];

    /// <summary>Blocks of the last walk that a slot holds, without a gap.</summary>
    public int BlocksOf(int slot) => slot < _reach.Length ? _reach[slot] : 0;

    /// <summary>Walks a prompt. Only those that hold any of it are asked for what is too old, and then it is counted anew.</summary>
    /// <param name="prompt">Its blocks.</param>
    /// <param name="notBefore">What was used last before this is forgotten.</param>
    /// <returns>Whether any slot holds any.</returns>
    public bool Go(ReadOnlySpan<ulong> prompt, long notBefore)
    {
        if (_reach.Length < blocks.Slots || _holders.Length < blocks.SlotWords)
        {
            (_reach, _holders, _leavers) = (new int[blocks.Slots], new ulong[blocks.SlotWords], new ulong[blocks.SlotWords]);
        }
        int most;
        bool isAnew;
        do
        {
            (most, isAnew) = (Count(prompt), false);
            for (var slot = 0; most > 0 && slot < _reach.Length; slot++)
            {
                isAnew |= _reach[slot] > 0 && blocks.Expire(slot, notBefore);
            }
        }
        while (isAnew);
        return most > 0;
    }

    /// <summary>Sets how many of the blocks each slot holds.</summary>
    /// <returns>The most.</returns>
    /// <remarks>Costs a word per block for 64 slots, and more only for a slot whose part ends there: a thousand replicas with one system prompt are no thousand steps per block.</remarks>
    private int Count(ReadOnlySpan<ulong> prompt)
    {
        Array.Clear(_reach);
        Array.Fill(_holders, ulong.MaxValue);
        for (var depth = 0; ; depth++)
        {
            if (depth % HolderTable.FetchedAtOnce == 0 && depth < prompt.Length)
            {
                blocks.Fetch(prompt[depth..Math.Min(prompt.Length, depth + HolderTable.FetchedAtOnce)]);
            }
            _holders.CopyTo(_leavers, 0);
            var goesOn = depth < prompt.Length && blocks.Narrow(prompt[depth], _holders);
            for (var word = 0; depth > 0 && word < _leavers.Length; word++)
            {
                for (var left = goesOn ? _leavers[word] & ~_holders[word] : _leavers[word]; left != 0; left &= left - 1)
                {
                    _reach[(word * 64) + BitOperations.TrailingZeroCount(left)] = depth;
                }
            }
            if (!goesOn)
            {
                return depth;
            }
        }
    }
}
