using System.Text;
using Gateway.Replicas;

namespace Gateway.Coordination;

/// <summary>What a gateway has in flight at its replicas, as an entry on the board of loads; and what the others' entries make together.</summary>
internal static class LoadEntry
{
    private const byte Version = 2;

    // Most courses told per replica: the ends of answers are guesses, and more of them would not make the sum better known.
    private const int MostCourses = 16;

    // Bound on the replicas read from one entry, far above what a gateway has.
    private const int Most = 65_536;

    // Bounds on what is read: a larger number was not written by a gateway.
    private const int MostSequences = 1 << 20;
    private const long MostTokens = 1L << 40;

    /// <summary>This gateway's own entry: never empty, and without what it knows of others.</summary>
    public static byte[] Write(IReadOnlyList<SharedPool> pools)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes, Encoding.UTF8);
        writer.Write(Version);
        foreach (var (pool, _) in pools)
        {
            var loads = pool.ReplicaList.Select(replica => (replica.Id, Load: replica.Own, Courses: replica.OwnCourses(MostCourses))).Where(replica => replica.Load != default).ToArray();
            if (loads.Length == 0)
            {
                continue;
            }
            writer.Write(pool.Name);
            writer.Write(loads.Length);
            foreach (var (id, load, courses) in loads)
            {
                writer.Write(id);
                writer.Write(load.Requests);
                writer.Write(load.Sequences);
                writer.Write(load.ReservedTokens);
                writer.Write(load.QueuedPrefillTokens);
                writer.Write(load.OutstandingTokens);
                writer.Write((byte)courses.Length);
                foreach (var course in courses)
                {
                    writer.Write((float)course.HeldTokens);
                    writer.Write((float)course.Steps);
                    writer.Write(course.Sequences);
                }
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
        var loads = new Dictionary<(string Pool, string Replica), (GatewayLoad Sum, Course[] Courses)>();
        var gateways = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            if (Read(entry.Content) is not { } read)
            {
                continue;
            }
            foreach (var (at, load, courses) in read)
            {
                var (sum, others) = loads.GetValueOrDefault(at, (default, []));
                loads[at] = (sum + load, [.. others, .. courses]);
            }
            foreach (var pool in read.Select(replica => replica.At.Pool).Distinct())
            {
                gateways[pool] = gateways.GetValueOrDefault(pool) + 1;
            }
        }
        foreach (var (pool, _) in pools)
        {
            var changed = false;
            foreach (var replica in pool.ReplicaList)
            {
                var (sum, courses) = loads.GetValueOrDefault((pool.Name, replica.Id), (default, []));
                Array.Sort(courses, static (one, other) => one.Steps.CompareTo(other.Steps));
                changed |= replica.ObservePeers(sum, courses, 1 + gateways.GetValueOrDefault(pool.Name));
            }
            if (changed)
            {
                pool.TellRoomReturned();
            }
        }
    }

    private static List<((string Pool, string Replica) At, GatewayLoad Load, Course[] Courses)>? Read(byte[] content)
    {
        try
        {
            using var reader = new BinaryReader(new MemoryStream(content), Encoding.UTF8);
            var loads = new List<((string, string), GatewayLoad, Course[])>();
            if (reader.ReadByte() != Version)
            {
                return null;
            }
            while (reader.BaseStream.Position < content.Length)
            {
                var pool = reader.ReadString();
                for (var left = reader.ReadInt32(); left > 0 && loads.Count < Most; left--)
                {
                    loads.Add(((pool, reader.ReadString()), ReadLoad(reader), ReadCourses(reader)));
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
        Math.Clamp(reader.ReadInt32(), 0, MostSequences), Math.Clamp(reader.ReadInt32(), 0, MostSequences),
        Math.Clamp(reader.ReadInt64(), 0, MostTokens), Math.Clamp(reader.ReadInt64(), 0, MostTokens),
        reader.ReadDouble() is >= 0 and <= MostTokens and var outstanding ? outstanding : 0);

    private static Course[] ReadCourses(BinaryReader reader)
    {
        var courses = new Course[reader.ReadByte()];
        for (var i = 0; i < courses.Length; i++)
        {
            courses[i] = new Course(Tokens(reader.ReadSingle()), Tokens(reader.ReadSingle()), Math.Clamp(reader.ReadInt32(), 0, MostSequences));
        }
        return courses;
    }

    private static float Tokens(float read) => read is >= 0 and < int.MaxValue ? read : 0;
}
