using System.Security.Cryptography;
using System.Text;

namespace Gateway.Estimation;

/// <summary>The bytes in which learned lengths outlive a restart: a head, the hash key of the keys and words, the estimator's memory and a checksum.</summary>
public static class LengthSnapshot
{
    /// <summary>Largest snapshot: all keys and all weights.</summary>
    public const int MaxBytes = 32 << 20;

    private const uint Mark = 0x4E4C5747;
    private const int Version = 3;

    /// <param name="estimator">Whose memory it is.</param>
    /// <param name="hashKey">Of the hashes that were learned from: without it they mean nothing.</param>
    /// <returns>Null where the estimator has no memory.</returns>
    public static byte[]? Write(IOutputLengthEstimator estimator, ulong hashKey)
    {
        if (estimator is not ILengthMemory memory)
        {
            return null;
        }
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Mark);
        writer.Write(Version);
        writer.Write(hashKey);
        writer.Write(estimator.Name);
        memory.Export(writer);
        writer.Flush();
        writer.Write(SHA256.HashData(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)));
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>The hash key under which a snapshot was learned; null: these bytes are no whole snapshot of this version.</summary>
    public static ulong? HashKeyOf(ReadOnlySpan<byte> snapshot)
    {
        const int Head = sizeof(uint) + sizeof(int) + sizeof(ulong);
        var content = snapshot.Length - SHA256.HashSizeInBytes;
        return content >= Head && BitConverter.ToUInt32(snapshot) == Mark && BitConverter.ToInt32(snapshot[4..]) == Version
            && SHA256.HashData(snapshot[..content]).AsSpan().SequenceEqual(snapshot[content..])
            ? BitConverter.ToUInt64(snapshot[8..])
            : null;
    }

    /// <summary>Gives a fresh estimator what is in a snapshot.</summary>
    /// <returns>False: of another estimator, another version, or damaged.</returns>
    public static bool TryRead(byte[] snapshot, IOutputLengthEstimator estimator)
    {
        if (estimator is not ILengthMemory memory || HashKeyOf(snapshot) is null)
        {
            return false;
        }
        try
        {
            using var reader = new BinaryReader(new MemoryStream(snapshot, 0, snapshot.Length - SHA256.HashSizeInBytes), Encoding.UTF8);
            reader.BaseStream.Position = sizeof(uint) + sizeof(int) + sizeof(ulong);
            if (reader.ReadString() != estimator.Name)
            {
                return false;
            }
            memory.Import(reader);
            return true;
        }
        catch (Exception damaged) when (damaged is InvalidDataException or EndOfStreamException or FormatException)
        {
            return false;
        }
    }
}
