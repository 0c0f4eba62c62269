using Gateway.Replicas;

namespace Gateway.Telemetry;

/// <summary>How many replicas a model's work would fill, as a signal for an autoscaler. Pure.</summary>
public static class DesiredReplicas
{
    /// <summary>Share of its room that a replica should be filled to: the rest is for bursts while another one loads its model.</summary>
    public const double FilledTo = 0.8;

    /// <summary>Work divided by the room of one replica: in KV tokens where room is known, else in requests where slots are, else one more while anybody waits.</summary>
    /// <param name="replicas">Of one model.</param>
    /// <param name="waiting">Requests in its queue; each is taken to need what the running ones need on average.</param>
    /// <returns>At least 1: the first replica is for a person to take away.</returns>
    public static int Of(IReadOnlyList<ReplicaSnapshot> replicas, int waiting)
    {
        double reserved = replicas.Sum(replica => replica.ReservedTokens);
        var running = replicas.Sum(replica => replica.RunningRequests);
        if (Mean(replicas.Select(replica => (double?)replica.CapacityTokens)) is { } room && (running > 0 || waiting == 0))
        {
            return Needed(reserved + (running > 0 ? waiting * reserved / running : 0), room);
        }
        return Mean(replicas.Select(replica => (double?)replica.SlotLimit)) is { } slots
            ? Needed(running + waiting, slots)
            : Math.Max(1, replicas.Count(replica => replica.AcceptsWork) + (waiting > 0 ? 1 : 0));
    }

    private static int Needed(double work, double room) => Math.Max(1, (int)Math.Min(int.MaxValue, Math.Ceiling(work / (FilledTo * room))));

    private static double? Mean(IEnumerable<double?> rooms)
    {
        var known = rooms.Where(room => room > 0).ToArray();
        return known.Length == 0 ? null : known.Average();
    }
}
