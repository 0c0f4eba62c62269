using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <content>Requests that had better wait for a full replica, since it holds the beginning of their prompt.</content>
internal sealed partial class Placer
{
    /// <summary>The full replica that the last request had better wait for, although it found room elsewhere: it holds the beginning of its prompt. Null: none.</summary>
    public Replica? Favourite { get; private set; }

    /// <summary>Seconds that going there saves everybody, were there room: to wait longer than that costs more.</summary>
    public double FavouriteSavesSeconds { get; private set; }

    /// <summary>Notes that one more, or one less, waits for a full replica.</summary>
    public void NoteWaiting(Replica favourite, int change) => _memory.OnWaiting(favourite.Slot, change);

    // A full one is worth a wait only for what it holds of the prompt.
    private Replica? FindFavourite(in RoutingQuery query, in LoadProfile load, Constraints constraints, DispatchPlan plan, in PlacementTerms terms, int count)
    {
        if (count == 0 || !terms.MayWait || _fullCount == 0 || !router.WaitsForFavourite)
        {
            return null;
        }
        var most = 0;
        foreach (ref readonly var candidate in _candidates.AsSpan(0, count))
        {
            most = Math.Max(most, candidate.PrefixHitTokens);
        }
        prefixes.Match(query.Request, query.Estimate.PromptTokens, plan.Routing, _full.AsSpan(0, _fullCount), _fullHits.AsSpan(0, _fullCount));
        var all = count;
        for (var i = 0; i < _fullCount; i++)
        {
            var replica = _full[i];
            if (_fullHits[i] <= most || !MayAnswer(replica, query.Estimate.LeastPromptTokens, constraints) || constraints.Avoid.Contains(replica))
            {
                continue;
            }
            ref var candidate = ref _candidates[all];
            candidate = CandidateOf(replica, load, plan);
            candidate.PrefixHitTokens = _fullHits[i];
            if (candidate.Replica.AcceptsWork)
            {
                _replicas[all++] = replica;
            }
        }
        if (all == count || router.Choose(query, _candidates.AsSpan(0, all)) is var choice && choice < count)
        {
            return null;
        }
        FavouriteSavesSeconds = SavingSeconds(query, _candidates[choice], count);
        return _replicas[choice];
    }

    private double SavingSeconds(in RoutingQuery query, Candidate favourite, int count)
    {
        _candidates[count] = favourite with { Replica = favourite.Replica with { HasRoom = true, CapacityTokens = null }, WaitingForIt = 0 };
        var costs = _costs.AsSpan(0, count + 1);
        router.Score(query, _candidates.AsSpan(0, count + 1), costs, _costs.AsSpan(count + 1, count + 1));
        var best = double.PositiveInfinity;
        foreach (var cost in costs[..count])
        {
            best = Math.Min(best, cost);
        }
        return Math.Max(0, best - costs[count]);
    }
}
