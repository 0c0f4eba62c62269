using Gateway.Queueing;
using Gateway.Replicas;

namespace Gateway.Telemetry;

/// <summary>How many replicas a model's work would fill, as a signal for an autoscaler.</summary>
public static class DesiredReplicas
{
    /// <summary>Share of its room that a replica should be filled to: the rest is for bursts while another one loads its model.</summary>
    public const double FilledTo = 0.8;

    /// <summary>More are never wished for.</summary>
    public const int Most = 100_000;

    /// <summary>What is there and what will come, whichever needs more; less only after it was less for a while. Changes nothing: whoever looks sees the same.</summary>
    /// <param name="pool">The model's replicas.</param>
    /// <param name="waiting">Requests in its queue.</param>
    /// <param name="demand">What was noted of its work; null, or where nothing was: what is there counts.</param>
    /// <returns>From 1 to <see cref="Most"/>.</returns>
    public static int Of(Pool pool, int waiting, WorkDemand? demand) => demand?.Wish ?? OfWhatIsThere(pool, waiting, demand);

    /// <summary>Notes what a model's work needs now; due on a regular beat.</summary>
    /// <param name="pool">The model's replicas.</param>
    /// <param name="waiting">Requests in its queue.</param>
    /// <param name="demand">Where it is noted.</param>
    public static void Note(Pool pool, int waiting, WorkDemand demand) => demand.Note(OfWhatIsThere(pool, waiting, demand), OfForecast(demand.Forecast()));

    /// <summary>Work divided by the room of one replica: in KV tokens where room is known, else in requests where slots are, else one more while anybody waits. Pure.</summary>
    /// <param name="replicas">Of one model.</param>
    /// <param name="waiting">Requests in its queue; each is taken to need what the running ones need on average.</param>
    /// <returns>From 1, since the first replica is for a person to take away, to <see cref="Most"/>.</returns>
    public static int OfWork(IReadOnlyList<ReplicaSnapshot> replicas, int waiting)
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

    /// <summary>Replicas for work that would keep so many busy, were they full. Pure.</summary>
    /// <param name="busy">Null: unknown.</param>
    /// <returns>From 1 to <see cref="Most"/>.</returns>
    public static int OfForecast(double? busy) => Needed(busy ?? 0, 1);

    private static int OfWhatIsThere(Pool pool, int waiting, WorkDemand? demand) =>
        OfWork([.. pool.ReplicaList.Select(replica => (demand?.RoomOf(replica) ?? replica.Snapshot()).WithoutPeers())], waiting);

    private static int Needed(double work, double room) => (int)Math.Clamp(Math.Ceiling(work / (FilledTo * room)), 1, Most);

    private static double? Mean(IEnumerable<double?> rooms)
    {
        var known = rooms.Where(room => room > 0).ToArray();
        return known.Length == 0 ? null : known.Average();
    }
}
