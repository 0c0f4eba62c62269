namespace Gateway.Simulation;

/// <summary>
/// The KV blocks of one engine: counted references, a free list in order of release, and the prefix cache over named blocks. A free block keeps its name,
/// and can be found by it, until it is handed out again. Not thread-safe.
/// </summary>
/// <remarks>The free list is vLLM's: released blocks go to its end, new ones come from its front, so the least recently released name is lost first.</remarks>
internal sealed class BlockPool
{
    private const int None = -1;

    private readonly int[] _references;
    private readonly ulong[] _names;
    private readonly bool[] _isNamed;
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly BlockNames _byName;
    private int _head;
    private int _tail;

    public BlockPool(int blocks)
    {
        Total = blocks;
        Free = blocks;
        _references = new int[blocks];
        _names = new ulong[blocks];
        _isNamed = new bool[blocks];
        _next = new int[blocks];
        _previous = new int[blocks];
        _byName = new BlockNames(blocks);
        for (var block = 0; block < blocks; block++)
        {
            _previous[block] = block - 1;
            _next[block] = block + 1 == blocks ? None : block + 1;
        }

        _tail = blocks - 1;
    }

    public int Total { get; }

    /// <summary>Blocks that nobody refers to, named ones included.</summary>
    public int Free { get; private set; }

    /// <summary>The block that holds this name, free or in use; -1 when none does.</summary>
    public int Find(ulong name) => _byName.Find(name);

    public bool IsFree(int block) => _references[block] == 0;

    /// <summary>Takes a block with fresh content; the caller has seen that <see cref="Free"/> is at least 1.</summary>
    public int Take()
    {
        var block = _head;
        Unlink(block);
        if (_isNamed[block])
        {
            _byName.Remove(_names[block]);
            _isNamed[block] = false;
        }

        _references[block] = 1;
        return block;
    }

    /// <summary>Refers once more to a block that <see cref="Find"/> gave.</summary>
    public void Share(int block)
    {
        if (_references[block]++ == 0)
        {
            Unlink(block);
        }
    }

    /// <summary>Names a block whose tokens are all computed; of two blocks with equal content only the first is found.</summary>
    public void Name(int block, ulong name)
    {
        if (!_isNamed[block] && _byName.Find(name) < 0)
        {
            _byName.Add(name, block);
            _names[block] = name;
            _isNamed[block] = true;
        }
    }

    /// <summary>Gives one reference back; the last one puts the block at the end of the free list.</summary>
    public void Release(int block)
    {
        if (--_references[block] > 0)
        {
            return;
        }

        _previous[block] = _tail;
        _next[block] = None;
        if (_tail == None)
        {
            _head = block;
        }
        else
        {
            _next[_tail] = block;
        }

        _tail = block;
        Free++;
    }

    private void Unlink(int block)
    {
        var (before, after) = (_previous[block], _next[block]);
        if (before == None)
        {
            _head = after;
        }
        else
        {
            _next[before] = after;
        }

        if (after == None)
        {
            _tail = before;
        }
        else
        {
            _previous[after] = before;
        }

        Free--;
    }
}
