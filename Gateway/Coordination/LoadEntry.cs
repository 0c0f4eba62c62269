using System.Text;
using Gateway.Replicas;

namespace Gateway.Coordination;

/// <summary>What a gateway has in flight at its replicas, as an entry on the board of loads; and what the others' entries make together.</summary>
internal static class LoadEntry
{
    private const byte Version = 1;

    // More replicas than this have no place in a pool, nor pools in a gateway.
    private const int Most = 65_536;

    /// <summary>This gateway's own entry: never empty, and without what it knows of others.</summary>
    public static byte[] Write(IReadOnlyList<SharedPool> pools)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Version);
        foreach (var (pool, _) in pools)
        {
            var loads = pool.ReplicaList.Select(replica => (replica.Id, Load: replica.Own)).Where(replica => replica.Load != default).ToArray();
            if (loads.Length == 0)
            {
                continue;
            }
            writer.Write(pool.Name);
            writer.Write(loads.Length);
            foreach (var (id, load) in loads)
            {
                writer.Write(id);
                writer.Write(load.Requests);
                writer.Write(load.Sequences);
                writer.Write(load.ReservedTokens);
                writer.Write(load.QueuedPrefillTokens);
                writer.Write(load.OutstandingTokens);
            }
        }
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Gives every replica the sum of what the others have there.</summary>
    /// <param name="entries">The others'; one that is damaged or of another version counts for nothing.</param>
    /// <param name="pools">This gateway's.</param>
    public static void Apply(IReadOnlyList<BoardEntry> entries, IReadOnlyList<SharedPool> pools)
    {
        var loads = new Dictionary<(string Pool, string Replica), GatewayLoad>();
        var gateways = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (Read(entry.Content) is not { } read)
            {
                continue;
            }
            foreach (var (at, load) in read)
            {
                loads[at] = loads.GetValueOrDefault(at) + load;
            }
            foreach (var pool in read.Select(replica => replica.At.Pool).Distinct())
            {
                gateways[pool] = gateways.GetValueOrDefault(pool) + 1;
            }
        }
        foreach (var (pool, _) in pools)
        {
            foreach (var replica in pool.ReplicaList)
            {
                replica.ObservePeers(loads.GetValueOrDefault((pool.Name, replica.Id)), 1 + gateways.GetValueOrDefault(pool.Name));
            }
        }
    }

    private static List<((string Pool, string Replica) At, GatewayLoad Load)>? Read(byte[] content)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(content), Encoding.UTF8);
            var loads = new List<((string, string), GatewayLoad)>();
            if (reader.ReadByte() != Version)
            {
                return null;
            }
            while (reader.BaseStream.Position < content.Length)
            {
                var pool = reader.ReadString();
                for (var left = reader.ReadInt32(); left > 0 && loads.Count < Most; left--)
                {
                    loads.Add(((pool, reader.ReadString()), ReadLoad(reader)));
                }
            }
            return loads;
        }
        catch (Exception damaged) when (damaged is EndOfStreamException or FormatException or IOException)
        {
            return null;
        }
    }

    private static GatewayLoad ReadLoad(BinaryReader reader) => new(
        Math.Max(0, reader.ReadInt32()), Math.Max(0, reader.ReadInt32()), Math.Max(0, reader.ReadInt64()), Math.Max(0, reader.ReadInt64()),
        reader.ReadDouble() is >= 0 and < long.MaxValue and var outstanding ? outstanding : 0);
}
