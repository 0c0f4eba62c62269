using System.Buffers.Binary;

namespace Gateway.Simulation;

/// <summary>64-bit hashes that are the same in every process.</summary>
public static class Hashing
{
    private const ulong Golden = 0x9E3779B97F4A7C15UL;

    /// <summary>Spreads the bits of a number (the finaliser of splitmix64).</summary>
    public static ulong Mix(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9UL;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EBUL;
        return value ^ (value >> 31);
    }

    /// <summary>A hash of <paramref name="previous"/> and the bytes after it, so that a chain covers everything before.</summary>
    public static ulong Chain(ulong previous, ReadOnlySpan<byte> bytes)
    {
        var hash = previous ^ ((ulong)bytes.Length * Golden);
        while (bytes.Length >= 8)
        {
            hash = Mix(hash ^ BinaryPrimitives.ReadUInt64LittleEndian(bytes)) + Golden;
            bytes = bytes[8..];
        }

        var rest = 0UL;
        foreach (var value in bytes)
        {
            rest = (rest << 8) | value;
        }

        return Mix(hash ^ rest);
    }

    /// <summary>A hash of a number after another.</summary>
    public static ulong Chain(ulong previous, ulong value) => Mix(Mix(previous + Golden) ^ value);
}
