using System.Runtime.InteropServices;
using System.Text;
using Gateway.Estimation;
using Gateway.Routing;

namespace Gateway.Coordination;

/// <summary>What happened here and others may want to know: placements, tool calls and lengths of answers, gathered between two exchanges. Bounded; thread-safe.</summary>
/// <param name="hintBlocks">Blocks of a prompt that are told.</param>
internal sealed class News(int hintBlocks) : IDisposable
{
    /// <summary>Batches that are kept for those who have not read them yet.</summary>
    public const int MostBatches = 256;

    // News beyond this size between two exchanges are dropped: they are hints, and the next placement repeats them.
    private const int MostBytes = 256 << 10;

    private const byte Placement = 1;
    private const byte Lesson = 2;
    private const byte Call = 3;

    private readonly Lock _gate = new();
    private readonly MemoryStream _bytes = new();

    /// <summary>Notes that a replica was sent something.</summary>
    public void Note(string pool, string replica, in PrefixUse use)
    {
        var blocks = use.Blocks.Length > hintBlocks ? use.Blocks[..hintBlocks] : use.Blocks;
        lock (_gate)
        {
            if (!TakesMoreLocked)
            {
                return;
            }
            using var writer = Writer();
            writer.Write(Placement);
            writer.Write(pool);
            writer.Write(replica);
            writer.Write(use.Session);
            writer.Write(use.BlockTokens);
            // Blocks that are left out still take KV room, so they are added to the other tokens.
            writer.Write((int)Math.Min(int.MaxValue, use.OtherTokens + ((long)use.BlockTokens * (use.Blocks.Length - blocks.Length))));
            writer.Write(blocks.Length);
            writer.Write(MemoryMarshal.AsBytes(blocks.Span));
        }
    }

    /// <summary>Notes that a session's answer called a tool.</summary>
    public void Note(string pool, ulong session, ulong tool)
    {
        lock (_gate)
        {
            if (!TakesMoreLocked)
            {
                return;
            }
            using var writer = Writer();
            writer.Write(Call);
            writer.Write(pool);
            writer.Write(session);
            writer.Write(tool);
        }
    }

    /// <summary>Notes how long an answer was.</summary>
    public void Note(LengthLesson lesson)
    {
        lock (_gate)
        {
            if (!TakesMoreLocked)
            {
                return;
            }
            using var writer = Writer();
            writer.Write(Lesson);
            writer.Write(lesson.Model);
            writer.Write(lesson.Tenant);
            writer.Write(lesson.Application);
            writer.Write(lesson.OutputTokens);
            writer.Write(lesson.Ratio);
            writer.Write(lesson.IsCensored);
        }
    }

    /// <summary>All that was noted since the last call; empty: nothing.</summary>
    public byte[] Take()
    {
        lock (_gate)
        {
            var batch = _bytes.ToArray();
            _bytes.SetLength(0);
            return batch;
        }
    }

    /// <summary>Takes over what another gateway told; what is damaged ends it.</summary>
    /// <param name="batch">As <see cref="Take"/> gave it there.</param>
    /// <param name="pools">Whose indexes learn of placements.</param>
    /// <param name="lengths">Learns of answers; null: it cannot.</param>
    public static void Apply(byte[] batch, IReadOnlyList<SharedPool> pools, ISharedLengths? lengths)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(batch), Encoding.UTF8);
            while (reader.BaseStream.Position < batch.Length)
            {
                switch (reader.ReadByte())
                {
                    case Placement:
                        ApplyPlacement(reader, pools);
                        break;
                    case Call:
                        var called = reader.ReadString();
                        var (session, tool) = (reader.ReadUInt64(), reader.ReadUInt64());
                        pools.FirstOrDefault(known => known.Pool.Name == called)?.Prefixes.OnPeersToolCall(session, tool);
                        break;
                    case Lesson:
                        var lesson = ReadLesson(reader);
                        lengths?.LearnPeers(lesson);
                        break;
                    default:
                        return;
                }
            }
        }
        catch (Exception damaged) when (damaged is EndOfStreamException or FormatException or IOException)
        {
            // Written by another version, or not by a gateway: the hints are lost, nothing else.
        }
    }

    private static void ApplyPlacement(BinaryReader reader, IReadOnlyList<SharedPool> pools)
    {
        var (pool, id) = (reader.ReadString(), reader.ReadString());
        var (session, blockTokens, otherTokens) = (reader.ReadUInt64(), Math.Max(0, reader.ReadInt32()), Math.Max(0, reader.ReadInt32()));
        var count = reader.ReadInt32();
        if (count < 0 || count > (reader.BaseStream.Length - reader.BaseStream.Position) / sizeof(ulong))
        {
            throw new EndOfStreamException();
        }
        var blocks = new ulong[count];
        reader.BaseStream.ReadExactly(MemoryMarshal.AsBytes(blocks.AsSpan()));
        if (pools.FirstOrDefault(known => known.Pool.Name == pool) is { } known && known.Pool.Find(id) is { } replica)
        {
            known.Prefixes.RecordPeers(new PrefixUse(session, blocks, blockTokens, otherTokens), replica.Slot, replica.Snapshot().PrefixRoomTokens);
        }
    }

    private static LengthLesson ReadLesson(BinaryReader reader) => new(
        reader.ReadUInt64(), reader.ReadUInt64(), reader.ReadUInt64(), Math.Max(0, reader.ReadInt32()),
        reader.ReadSingle() is > 0 and < float.MaxValue and var ratio ? ratio : 0, reader.ReadBoolean());

    /// <summary>From here on nothing is noted: answers may still end while the gateway does.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _bytes.Dispose();
        }
    }

    private bool TakesMoreLocked => _bytes.CanWrite && _bytes.Length < MostBytes;

    private BinaryWriter Writer() => new(_bytes, Encoding.UTF8, leaveOpen: true);
}
