namespace Gateway.Replay.Estimates;

/// <summary>How often each length was seen, as a Fenwick tree: exact quantiles at any time, each step in O(log of the longest).</summary>
internal sealed class LengthCounts
{
    /// <summary>Longer lengths count as this one.</summary>
    public const int MostTokens = (1 << 20) - 1;

    private int[] _tree = new int[1 << 11];

    public int Count { get; private set; }

    public void Add(int tokens)
    {
        var place = Math.Clamp(tokens, 0, MostTokens) + 1;
        while (place >= _tree.Length)
        {
            Grow();
        }
        for (Count++; place < _tree.Length; place += place & -place)
        {
            _tree[place]++;
        }
    }

    /// <summary>The smallest length that at least a share of those seen does not exceed. At least one must have been seen.</summary>
    public int Quantile(double share)
    {
        var below = Math.Clamp((int)Math.Ceiling(share * Count), 1, Count) - 1;
        var place = 0;
        for (var step = _tree.Length / 2; step > 0; step /= 2)
        {
            if (place + step < _tree.Length && _tree[place + step] <= below)
            {
                place += step;
                below -= _tree[place];
            }
        }
        return place;
    }

    // The old root covers the lower half of the new tree; the upper half is empty.
    private void Grow()
    {
        Array.Resize(ref _tree, _tree.Length * 2);
        _tree[_tree.Length / 2] = Count;
    }
}
