using Gateway.Requests;

namespace Gateway.Routing.Peers;

/// <summary>KubeAI's CHWBL: consistent hashing of the prompt's beginning with bounded loads; the same answer in every gateway.</summary>
/// <remarks>256 points per replica on the ring; clockwise from the key, the first replica with no more than 1.25 × (total + 1) / n requests in flight.
/// The key is the first block of the prompt, or the session, where KubeAI takes the first 100 characters.</remarks>
public sealed class BoundedHashScorer : IReplicaScorer
{
    private const int PointsPerReplica = 256;
    private const double LoadFactor = 1.25;

    private Ring _ring = new([], []);

    public string Name => "chwbl";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        var ring = RingOf(candidates);
        var total = 0;
        foreach (ref readonly var candidate in candidates)
        {
            total += candidate.Replica.RunningRequests;
        }
        var bound = LoadFactor * (total + 1) / candidates.Length;
        var key = KeyOf(query.Request);
        var rank = 0;
        seconds.Fill(candidates.Length + 1);
        for (var step = 0; step < ring.Points.Length && rank < candidates.Length; step++)
        {
            var owner = ring.Points[(ring.IndexAfter(key) + step) % ring.Points.Length].Owner;
            if (seconds[owner] > candidates.Length)
            {
                // Over the bound only when all are: those wait behind the ones within it, in the order of the ring.
                seconds[owner] = rank++ + (candidates[owner].Replica.RunningRequests <= bound ? 0 : candidates.Length);
            }
        }
    }

    // A prompt too short for a block shares nothing: it goes by its own name, so that such prompts spread over the ring.
    private static ulong KeyOf(InferenceRequest request) =>
        request.Prefix.Blocks is [var first, ..] ? first : request.SessionKey != 0 ? request.SessionKey : Ring.HashOf(request.Id, 0);

    // The ring depends on nothing but the replicas' names: remembered, not state.
    private Ring RingOf(ReadOnlySpan<Candidate> candidates)
    {
        var ring = _ring;
        if (!ring.IsOf(candidates))
        {
            _ring = ring = Ring.Create(candidates);
        }
        return ring;
    }

    private sealed record Ring(string[] Ids, (ulong Hash, int Owner)[] Points)
    {
        public static Ring Create(ReadOnlySpan<Candidate> candidates)
        {
            var ids = new string[candidates.Length];
            var points = new (ulong Hash, int Owner)[candidates.Length * PointsPerReplica];
            for (var owner = 0; owner < candidates.Length; owner++)
            {
                ids[owner] = candidates[owner].Replica.Id;
                for (var point = 0; point < PointsPerReplica; point++)
                {
                    points[(owner * PointsPerReplica) + point] = (HashOf(ids[owner], point), owner);
                }
            }
            Array.Sort(points);
            return new Ring(ids, points);
        }

        public bool IsOf(ReadOnlySpan<Candidate> candidates)
        {
            if (candidates.Length != Ids.Length)
            {
                return false;
            }
            for (var i = 0; i < Ids.Length; i++)
            {
                if (!ReferenceEquals(candidates[i].Replica.Id, Ids[i]))
                {
                    return false;
                }
            }
            return true;
        }

        public int IndexAfter(ulong key)
        {
            var (low, high) = (0, Points.Length);
            while (low < high)
            {
                var middle = (low + high) / 2;
                if (Points[middle].Hash < key)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }
            return low % Points.Length;
        }

        // FNV-1a, then a multiplication to spread the last character's bits.
        public static ulong HashOf(string id, int point)
        {
            var hash = 14_695_981_039_346_656_037UL;
            foreach (var character in id)
            {
                hash = (hash ^ character) * 1_099_511_628_211UL;
            }
            hash = (hash ^ (ulong)point) * 1_099_511_628_211UL;
            return (hash ^ (hash >> 29)) * 0x9E3779B97F4A7C15UL;
        }
    }
}
