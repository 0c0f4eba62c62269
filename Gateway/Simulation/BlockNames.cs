namespace Gateway.Simulation;

/// <summary>Hash table from a block's chained hash to the block that holds it: open addressing, fixed size, no allocation after construction. Not thread-safe.</summary>
internal sealed class BlockNames
{
    private readonly ulong[] _names;
    private readonly int[] _blocks;
    private readonly int _mask;

    public BlockNames(int blocks)
    {
        var size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(4, blocks * 2));
        _names = new ulong[size];
        _blocks = new int[size];
        Array.Fill(_blocks, -1);
        _mask = size - 1;
    }

    /// <summary>The block of that name, or -1.</summary>
    public int Find(ulong name)
    {
        for (var slot = Home(name); _blocks[slot] >= 0; slot = (slot + 1) & _mask)
        {
            if (_names[slot] == name)
            {
                return _blocks[slot];
            }
        }

        return -1;
    }

    /// <summary>Adds a name that is not yet there.</summary>
    public void Add(ulong name, int block)
    {
        var slot = Home(name);
        while (_blocks[slot] >= 0)
        {
            slot = (slot + 1) & _mask;
        }

        _names[slot] = name;
        _blocks[slot] = block;
    }

    /// <summary>Removes a name that is there; the entries behind it move up, so no tombstones pile up.</summary>
    public void Remove(ulong name)
    {
        var hole = Home(name);
        while (_names[hole] != name || _blocks[hole] < 0)
        {
            hole = (hole + 1) & _mask;
        }

        for (var next = (hole + 1) & _mask; _blocks[next] >= 0; next = (next + 1) & _mask)
        {
            var home = Home(_names[next]);
            if (((next - home) & _mask) < ((next - hole) & _mask))
            {
                continue;
            }

            _names[hole] = _names[next];
            _blocks[hole] = _blocks[next];
            hole = next;
        }

        _blocks[hole] = -1;
    }

    private int Home(ulong name) => (int)((name * 0x9E3779B97F4A7C15UL) >> 32) & _mask;
}
