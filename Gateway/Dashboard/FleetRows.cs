using System.Text;
using Gateway.Replicas;

namespace Gateway.Dashboard;

/// <summary>A fleet as the page shows it: a mark for every replica, and a bounded number of rows.</summary>
internal sealed record FleetRows
{
    /// <summary>Rows sent at most: more than anybody reads, and little enough to send every second.</summary>
    public const int MaxRows = 60;

    /// <summary>Marks sent at most.</summary>
    public const int MaxMarks = 4_096;

    /// <summary>What is shown in full.</summary>
    public required IReadOnlyList<(string Model, ReplicaSnapshot Replica, string? Reason)> Rows { get; init; }

    /// <summary>Two characters a replica: its health, and how full it is in ninths.</summary>
    public required string Marks { get; init; }

    public int Replicas { get; init; }

    public int Up { get; init; }

    public int Draining { get; init; }

    /// <summary>Replicas whose name fits what was looked for.</summary>
    public int Found { get; init; }

    /// <summary>Requests that this gateway has at them; those of others that share with it are on their own pages.</summary>
    public int Running { get; init; }

    /// <param name="fleet">The fleet.</param>
    /// <param name="model">A pool's name; null: all.</param>
    /// <param name="find">A part of the replicas' names; empty: all.</param>
    public static FleetRows Of(Fleet fleet, string? model, string find)
    {
        var marks = new StringBuilder();
        var (first, troubled) = (new List<(string Model, ReplicaSnapshot Replica, string? Reason)>(MaxRows), new List<(string Model, ReplicaSnapshot Replica, string? Reason)>());
        var (replicas, up, draining, found, running) = (0, 0, 0, 0, 0);
        foreach (var pool in fleet.Pools.Where(pool => model is null || pool.Name == model))
        {
            foreach (var replica in pool.ReplicaList)
            {
                var now = replica.Snapshot();
                replicas++;
                up += now.AcceptsWork ? 1 : 0;
                draining += now.Health == ReplicaHealth.Draining ? 1 : 0;
                running += now.WithoutPeers().RunningRequests;
                if (replicas <= MaxMarks)
                {
                    AddMark(marks, now);
                }
                if (now.Id.Contains(find, StringComparison.OrdinalIgnoreCase))
                {
                    found++;
                    var reason = now.AcceptsWork ? null : replica.Standing.Reason;
                    AddWithin(first, pool.Name, now, reason);
                    AddWithin(now.AcceptsWork ? null : troubled, pool.Name, now, reason);
                }
            }
        }
        return new FleetRows
        {
            // In the order of the configuration, so that rows do not jump. Where there are too many, replicas in trouble come first.
            Rows = found <= MaxRows ? first : [.. troubled.Concat(first.Where(row => row.Replica.AcceptsWork)).Take(MaxRows)],
            Marks = marks.ToString(),
            Replicas = replicas,
            Up = up,
            Draining = draining,
            Found = found,
            Running = running,
        };
    }

    /// <summary>Share of the KV room in use, whoever uses it: as the engine says, else as the ledger has given out; null: unknown.</summary>
    public static double? FullnessOf(in ReplicaSnapshot replica) =>
        replica.Report?.KvUsage ?? (replica.CapacityTokens is { } capacity and > 0 ? Math.Min(1, replica.ReservedTokens / (double)capacity) : null);

    private static void AddWithin(List<(string, ReplicaSnapshot, string?)>? rows, string model, in ReplicaSnapshot replica, string? reason)
    {
        if (rows?.Count < MaxRows)
        {
            rows.Add((model, replica, reason));
        }
    }

    private static void AddMark(StringBuilder marks, in ReplicaSnapshot replica) => marks
        .Append(replica.Health switch
        {
            ReplicaHealth.Up => 'u',
            ReplicaHealth.Draining => 'd',
            ReplicaHealth.Suspended or ReplicaHealth.BackingOff => 'p',
            ReplicaHealth.Unknown => '?',
            _ => 'x',
        })
        .Append((char)('0' + (int)Math.Round(9 * (FullnessOf(replica) ?? 0))));
}
