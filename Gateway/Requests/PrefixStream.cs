namespace Gateway.Requests;

/// <summary>Cuts a stream of prompt bytes into blocks and chains their hashes. One use, one thread.</summary>
/// <param name="hasher">The keyed hash.</param>
/// <param name="seed">Hash of what separates prompts that share no cache: model and salt.</param>
/// <param name="pending">Room for one block; overwritten.</param>
/// <param name="blocks">Where the hashes go; when it is full the rest of the stream is ignored.</param>
internal ref struct PrefixStream(PrefixHasher hasher, ulong seed, Span<byte> pending, Span<ulong> blocks)
{
    private readonly Span<byte> _pending = pending[..hasher.BlockBytes];
    private readonly Span<ulong> _blocks = blocks;
    private ulong _previous = seed;
    private int _filled;

    /// <summary>Blocks hashed so far.</summary>
    public int Count { get; private set; }

    public readonly bool IsFull => Count == _blocks.Length;

    public void Append(scoped ReadOnlySpan<byte> bytes)
    {
        if (_filled > 0)
        {
            var taken = Math.Min(bytes.Length, _pending.Length - _filled);
            bytes[..taken].CopyTo(_pending[_filled..]);
            _filled += taken;
            bytes = bytes[taken..];
            if (_filled < _pending.Length)
            {
                return;
            }

            Close(_pending);
            _filled = 0;
        }

        while (bytes.Length >= _pending.Length && !IsFull)
        {
            Close(bytes[.._pending.Length]);
            bytes = bytes[_pending.Length..];
        }

        if (!IsFull)
        {
            bytes.CopyTo(_pending);
            _filled = bytes.Length;
        }
    }

    private void Close(scoped ReadOnlySpan<byte> block)
    {
        if (IsFull)
        {
            return;
        }

        _previous = hasher.Chain(_previous, block);
        _blocks[Count++] = _previous;
    }
}
