namespace Gateway.Routing.Peers;

/// <summary>Llumnix's freeness: steps until the memory of a replica runs out, if every running request grows by a token a step. The freest wins.</summary>
/// <remarks>arXiv 2406.03243. The virtual usage of what waits is its demand, which our ledger holds already; live migration is not a gateway's.
/// Without a known capacity freeness is unknown, and fewer requests win.</remarks>
public sealed class FreenessScorer : IReplicaScorer
{
    private const double SecondsPerStep = 0.025;

    public string Name => "freeness";

    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> seconds)
    {
        for (var i = 0; i < candidates.Length; i++)
        {
            ref readonly var replica = ref candidates[i].Replica;
            var batch = Math.Max(1, replica.RunningRequests);
            var steps = replica.CapacityTokens is { } capacity ? (capacity - replica.HeldTokens) / (double)batch : -batch;
            seconds[i] = -steps * SecondsPerStep * replica.Weight;
        }
    }
}
