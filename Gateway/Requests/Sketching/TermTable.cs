namespace Gateway.Requests.Sketching;

/// <summary>Counts terms, each once, in the order of their first occurrence; beyond its room new ones are left out.</summary>
/// <param name="terms">Room for the terms.</param>
/// <param name="slots">Room for the table, <see cref="Slots"/> long and zero.</param>
internal ref struct TermTable(Span<uint> terms, Span<ushort> slots)
{
    /// <summary>Slots of the table: over twice the most terms, so that a free one is always near.</summary>
    public const int Slots = 2048;

    private readonly Span<uint> _terms = terms;
    private readonly Span<ushort> _slots = slots;
    private int _count;

    public readonly ReadOnlySpan<uint> Terms => _terms[.._count];

    public void Add(uint hash)
    {
        // Multiplicative hashing: the upper bits of the product depend on all bits of the key.
        var packed = TextSketch.Pack((hash ^ (hash >> 15)) * 0x2C1B3C6D);
        var slot = (int)(TextSketch.HashOf(packed) >> 17);
        while (_slots[slot] != 0)
        {
            ref var term = ref _terms[_slots[slot] - 1];
            if (TextSketch.HashOf(term) == TextSketch.HashOf(packed))
            {
                term = TextSketch.CountedOnce(term);
                return;
            }
            slot = (slot + 1) & (Slots - 1);
        }
        if (_count < _terms.Length)
        {
            _terms[_count++] = packed;
            _slots[slot] = (ushort)_count;
        }
    }
}
