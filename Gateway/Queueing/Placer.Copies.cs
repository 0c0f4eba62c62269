using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <content>A beginning that many ask for is computed at one replica more, once what they lost for want of it comes to what that costs.</content>
internal sealed partial class Placer
{
    // What is lost counts twice at an empty replica, since as many are believed to come; ever less the fuller it is, where a copy takes room from answers and may
    // be gone before it has paid.
    private const double MostWorth = 2;
    private const double LeastWorth = 0.5;

    private readonly ForgoneSavings _forgone = new(time);
    private readonly Candidate[] _pair = new Candidate[2];
    private (ulong Block, double Seconds) _saving;

    // One request alone would never pay for a copy that all who come after it use: to rent until the rent comes to the price, and to buy then,
    // costs at most a few times what it would cost to know how many will come.
    private (int Choice, bool IsCopy) ChooseOrCopy(in RoutingQuery query, int count)
    {
        _saving = default;
        var candidates = _candidates.AsSpan(0, count);
        var cheapest = router.Choose(query, candidates, _costs);
        if (cheapest < 0 || query.Request.Route.TakesNoRoom || Lacking(candidates, _costs, cheapest) is not { } lacking)
        {
            return (cheapest, false);
        }
        var block = query.Request.Prefix.Blocks[candidates[lacking].PrefixHitBlocks];
        var price = _costs[lacking] - _costs[cheapest];
        if (_forgone.Of(block) is var forgone && forgone > 0 && forgone >= price)
        {
            _saving = (block, -price);
            return (lacking, true);
        }
        _saving = (block, WorthAt(candidates[lacking].Replica) * SavedByCopy(query, candidates[cheapest], candidates[lacking]));
        return (cheapest, false);
    }

    // What decides whether a copy is made, as a part of the cost there. Only those with room may have one.
    private void ExplainCopy(in RoutingQuery query, Span<double> costs, List<ScorePart>[] parts)
    {
        var candidates = _candidates.AsSpan(0, costs.Length);
        var eligible = costs.ToArray();
        var cheapest = -1;
        for (var i = 0; i < eligible.Length; i++)
        {
            if (!candidates[i].Replica.AcceptsWork || !candidates[i].Replica.HasRoom)
            {
                eligible[i] = double.PositiveInfinity;
            }
            else if (cheapest < 0 || eligible[i] < eligible[cheapest])
            {
                cheapest = i;
            }
        }
        if (cheapest < 0 || query.Request.Route.TakesNoRoom || Lacking(candidates, eligible, cheapest) is not { } lacking
            || _forgone.Of(query.Request.Prefix.Blocks[candidates[lacking].PrefixHitBlocks]) is var forgone && forgone <= 0)
        {
            return;
        }
        costs[lacking] -= forgone;
        parts[lacking].Add(new ScorePart("forgone", -forgone));
    }

    // The cheapest that holds less than the cheapest of all. What one replica alone holds is mostly one session's: no other would use a copy. To one that holds
    // nothing yet that does not apply: any copy is better than idling while all go to who began first.
    private int? Lacking(ReadOnlySpan<Candidate> candidates, ReadOnlySpan<double> costs, int cheapest)
    {
        var hit = candidates[cheapest].PrefixHitBlocks;
        if (hit == 0 || !router.WaitsForFavourite)
        {
            return null;
        }
        var (holders, best) = (0, -1);
        for (var i = 0; i < candidates.Length; i++)
        {
            if (double.IsPositiveInfinity(costs[i]))
            {
                continue;
            }
            if (candidates[i].PrefixHitBlocks >= hit)
            {
                holders++;
            }
            else if (candidates[i].Replica.Report.CachesPrefixes != false && (best < 0 || costs[i] < costs[best]))
            {
                best = i;
            }
        }
        return best >= 0 && (holders > 1 || !candidates[best].HoldsPrefixes) ? best : null;
    }

    private static double WorthAt(in ReplicaSnapshot replica) =>
        replica.CapacityTokens is { } capacity and > 0 ? Math.Max(LeastWorth, MostWorth * (1 - (replica.ReservedTokens / (double)capacity))) : MostWorth;

    private double SavedByCopy(in RoutingQuery query, in Candidate cheapest, in Candidate lacking)
    {
        (_pair[0], _pair[1]) = (cheapest, lacking);
        (_pair[1].PrefixHitTokens, _pair[1].PrefixHitBlocks) = (cheapest.PrefixHitTokens, cheapest.PrefixHitBlocks);
        foreach (ref var candidate in _pair.AsSpan())
        {
            // Whose step happens to be about to end is no loss that a copy would spare: of many replicas it is always another's.
            ref readonly var replica = ref candidate.Replica;
            candidate.StepElapsedSeconds = replica.Rates.StepSeconds(replica.RunningSequences, replica.ComputingPrefillTokens) / 2;
        }
        Span<double> costs = stackalloc double[2 * 2];
        router.Score(query, _pair, costs[..2], costs[2..]);
        return Math.Max(0, costs[0] - costs[1]);
    }

    private void NoteSaving()
    {
        if (_saving.Seconds != 0)
        {
            _forgone.Add(_saving.Block, _saving.Seconds);
        }
    }
}
