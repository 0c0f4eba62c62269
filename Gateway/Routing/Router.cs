using System.Buffers;

namespace Gateway.Routing;

/// <summary>Chooses the candidate of least cost; ties are drawn. Remembers nothing. Not thread-safe: the caller's lock guards the draws.</summary>
public sealed class Router(Func<RoutingPlan> plan, Random chance)
{
    private const int OnStack = 64;

    // Costs within a microsecond are equal: rounding must not decide who gets the work.
    private const double TieSeconds = 1e-6;

    /// <summary>Whether it may be cheaper to wait for a full replica: then those are told as candidates too.</summary>
    public bool WaitsForFavourite => plan().WaitsForFavourite;

    /// <summary>Whether what a replica has cached may have decided.</summary>
    public bool HeedsPrefixes => !plan().IgnoresPrefixes;

    /// <summary>Whether where a session was last may have decided.</summary>
    public bool HeedsSessions => !plan().IgnoresSessions;

    /// <summary>Index of the choice; -1 without candidates.</summary>
    public int Choose(in RoutingQuery query, ReadOnlySpan<Candidate> candidates)
    {
        var rented = candidates.Length > OnStack ? ArrayPool<double>.Shared.Rent(2 * candidates.Length) : null;
        var costs = rented ?? stackalloc double[2 * OnStack];
        var best = Choose(query, candidates, costs);
        if (rented is not null)
        {
            ArrayPool<double>.Shared.Return(rented);
        }
        return best;
    }

    /// <summary>Index of the choice; -1 without candidates.</summary>
    /// <param name="query">What is to be placed.</param>
    /// <param name="candidates">The places.</param>
    /// <param name="costs">Twice as long as the candidates; receives the cost of each at its beginning.</param>
    public int Choose(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> costs)
    {
        Score(query, candidates, costs[..candidates.Length], costs.Slice(candidates.Length, candidates.Length));
        return Draw(costs[..candidates.Length]);
    }

    /// <summary>The cost of each candidate in seconds.</summary>
    /// <param name="query">What is to be placed.</param>
    /// <param name="candidates">The places.</param>
    /// <param name="total">Receives the costs.</param>
    /// <param name="scratch">As long as the candidates.</param>
    /// <param name="parts">Receives what each scorer adds, per candidate; null: nobody asks.</param>
    public void Score(in RoutingQuery query, ReadOnlySpan<Candidate> candidates, Span<double> total, Span<double> scratch, List<ScorePart>[]? parts = null)
    {
        total.Clear();
        if (candidates.IsEmpty)
        {
            return;
        }
        foreach (var (scorer, weight) in plan().Scorers)
        {
            if (weight == 0)
            {
                continue;
            }
            scorer.Score(query, candidates, scratch);
            for (var i = 0; i < candidates.Length; i++)
            {
                total[i] += weight * scratch[i];
                parts?[i].Add(new ScorePart(scorer.Name, weight * scratch[i]));
            }
        }
    }

    private int Draw(ReadOnlySpan<double> costs)
    {
        var best = -1;
        var least = double.PositiveInfinity;
        var equals = 0;
        for (var i = 0; i < costs.Length; i++)
        {
            if (costs[i] < least - TieSeconds)
            {
                (best, least, equals) = (i, costs[i], 1);
            }
            else if (costs[i] <= least + TieSeconds && chance.Next(++equals) == 0)
            {
                best = i;
            }
        }
        return best;
    }
}
