using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Access;

/// <summary>The SHA-256 of a key: what is stored and looked up in the key's place. Immutable.</summary>
public readonly struct KeyDigest : IEquatable<KeyDigest>
{
    /// <summary>How a digest begins where it is written.</summary>
    public const string Prefix = "sha256:";

    private readonly byte[] _bytes;

    private KeyDigest(byte[] bytes) => _bytes = bytes;

    /// <summary>The digest of a key as presented.</summary>
    public static KeyDigest Of(string key) => new(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    /// <summary>Reads <c>sha256:</c> and 64 hexadecimal digits.</summary>
    /// <returns>Null for any other text.</returns>
    public static KeyDigest? Parse(string text) =>
        text.StartsWith(Prefix, StringComparison.Ordinal) && text.Length == Prefix.Length + (2 * SHA256.HashSizeInBytes)
        && text.AsSpan(Prefix.Length).IndexOfAnyExcept(HexDigits) < 0
            ? new KeyDigest(Convert.FromHexString(text.AsSpan(Prefix.Length)))
            : null;

    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdefABCDEF");

    /// <summary>Takes the same time whether and wherever the digests differ.</summary>
    public bool Equals(KeyDigest other) => CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    public override bool Equals(object? obj) => obj is KeyDigest other && Equals(other);

    // All bits of a SHA-256 are equally random: any four bytes make a good hash code.
    public override int GetHashCode() => BinaryPrimitives.ReadInt32LittleEndian(_bytes);

    public static bool operator ==(KeyDigest left, KeyDigest right) => left.Equals(right);

    public static bool operator !=(KeyDigest left, KeyDigest right) => !left.Equals(right);
}
