using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Gateway.Requests;

/// <summary>Keyed 64-bit hashes of prompts and session ids. Immutable and thread-safe.</summary>
/// <remarks>
/// The construction folds 128-bit products (the upper half xored into the lower) over two 8-byte words at a time, starting
/// from the hash before, with four words spread out of the key by a 64-bit mixer. It is fast and well spread, and a stranger who does not know the key
/// cannot aim for collisions; it is no cryptographic hash and protects no secret.
/// </remarks>
public sealed class PrefixHasher
{
    /// <summary>Longest chain: what lies behind is not hashed.</summary>
    public const int MaxBlocks = 4096;

    /// <summary>Largest block.</summary>
    public const int MaxBlockBytes = 1024;

    private const ulong ResponsesOwner = 0x5245_5350;

    private readonly ulong _start;
    private readonly ulong _left;
    private readonly ulong _right;
    private readonly ulong _finish;

    /// <param name="key">Secret of the fleet; the same in every gateway that shares a prefix index.</param>
    /// <param name="blockBytes">Bytes of prompt text per block: a multiple of 16, at most <see cref="MaxBlockBytes"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">Another block size.</exception>
    public PrefixHasher(ulong key, int blockBytes = 256)
        : this(Spread(key), Spread(Spread(key)), Spread(Spread(Spread(key))), Spread(Spread(Spread(Spread(key)))) | 1, blockBytes)
    {
    }

    private PrefixHasher(ulong start, ulong left, ulong right, ulong finish, int blockBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(blockBytes, 16);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blockBytes, MaxBlockBytes);
        ArgumentOutOfRangeException.ThrowIfNotEqual(blockBytes % 16, 0);
        BlockBytes = blockBytes;
        (_start, _left, _right, _finish) = (start, left, right, finish);
        NoBlocks = new PrefixFingerprint([], blockBytes);
    }

    /// <summary>The same keys with another size of block.</summary>
    public PrefixHasher WithBlockBytes(int blockBytes) => new(_start, _left, _right, _finish, blockBytes);

    /// <summary>The fingerprint of a prompt shorter than one block.</summary>
    internal PrefixFingerprint NoBlocks { get; }

    /// <summary>Bytes of prompt text per block.</summary>
    public int BlockBytes { get; }

    /// <summary>Hash of a short text such as a session id.</summary>
    /// <returns>Never 0, which stands for "none".</returns>
    public ulong Key(ReadOnlySpan<byte> text)
    {
        // Not started from _start itself: it would cancel out in the product, and all short texts would have one hash.
        var hash = Chain(0, text);
        return hash == 0 ? 1 : hash;
    }

    /// <summary>The key of a stored response: none that a client can choose, as it does its sessions', is ever equal to it.</summary>
    /// <param name="id">Hash of the response's id by <see cref="Key"/>; 0: none.</param>
    public ulong ResponseKey(ulong id) => id == 0 ? 0 : Combine(ResponsesOwner, id);

    /// <summary>A hash as one owner's: the same for the same two, and nothing like it for another owner.</summary>
    /// <returns>Never 0.</returns>
    public ulong Combine(ulong owner, ulong key)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, key);
        var hash = Chain(owner, bytes);
        return hash == 0 ? 1 : hash;
    }

    /// <summary>The hash of <paramref name="bytes"/> behind everything that <paramref name="previous"/> covers.</summary>
    internal ulong Chain(ulong previous, ReadOnlySpan<byte> bytes)
    {
        var state = previous ^ _start;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        var pairs = words.Length & ~1;
        for (var i = 0; i < pairs; i += 2)
        {
            state = Fold(Little(words[i]) ^ _left, Little(words[i + 1]) ^ state);
        }

        var rest = bytes[(pairs * 8)..];
        if (!rest.IsEmpty)
        {
            Span<byte> last = stackalloc byte[16];
            last.Clear();
            rest.CopyTo(last);
            state = Fold(
                BinaryPrimitives.ReadUInt64LittleEndian(last) ^ _left, BinaryPrimitives.ReadUInt64LittleEndian(last[8..]) ^ state);
        }

        return Fold(state ^ (ulong)bytes.Length, _finish) ^ _right;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Little(ulong word) =>
        BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);

    private static ulong Fold(ulong left, ulong right)
    {
        var high = Math.BigMul(left, right, out var low);
        return high ^ low;
    }

    /// <summary>One step of the SplitMix64 generator (G. L. Steele, D. Lea, C. H. Flood, 2014).</summary>
    private static ulong Spread(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
