using Gateway.Replicas;
using Gateway.Routing;

namespace Gateway.Queueing;

/// <summary>What would be decided about a request now, and why. Nothing is reserved by asking.</summary>
public sealed record Explanation
{
    /// <summary>Why it would be refused at once; null: it would not.</summary>
    public AdmissionOutcome? Refusal { get; init; }

    /// <summary>Why it would have to wait; <see cref="HoldReason.None"/>: it would be sent.</summary>
    public HoldReason Hold { get; init; }

    /// <summary>Waiting requests that would go before it.</summary>
    public int Ahead { get; init; }

    /// <summary>Its key by the order in force: smaller goes first within its class and level.</summary>
    public double Rank { get; init; }

    /// <summary>Expected wait for a turn, by how fast the queue moved lately; null: unknown.</summary>
    public double? WaitSeconds { get; init; }

    /// <summary>Whether the candidates' costs are times; else they compare with each other only.</summary>
    public bool CostsAreSeconds { get; init; } = true;

    /// <summary>Every replica of the pool, in its order.</summary>
    public required IReadOnlyList<ExplainedCandidate> Candidates { get; init; }

    /// <summary>Index of where it would go: the least cost among those with room, else among those that take work; null: nobody takes work.</summary>
    public int? Best { get; init; }

    internal static int? BestOf(IReadOnlyList<ExplainedCandidate> candidates, Replica? pinned)
    {
        int? best = null;
        for (var i = 0; i < candidates.Count; i++)
        {
            var (candidate, least) = (candidates[i], best is { } index ? candidates[index] : null);
            if ((pinned is null || candidate.Candidate.Replica.Slot == pinned.Slot) && candidate.Candidate.Replica.AcceptsWork && double.IsFinite(candidate.CostSeconds)
                && (least is null || (candidate.HasRoom, -candidate.CostSeconds).CompareTo((least.HasRoom, -least.CostSeconds)) > 0))
            {
                best = i;
            }
        }
        return best;
    }
}

/// <summary>One replica as a place for the request.</summary>
/// <param name="Candidate">The replica and what it is believed to hold.</param>
/// <param name="CostSeconds">Sum of the parts.</param>
/// <param name="Parts">What each scorer says, weighted.</param>
/// <param name="Forecast">What is expected there once the request is sent.</param>
public sealed record ExplainedCandidate(Candidate Candidate, double CostSeconds, IReadOnlyList<ScorePart> Parts, Forecast Forecast)
{
    /// <summary>Whether it would take the request now.</summary>
    public bool HasRoom => Candidate.Replica is { AcceptsWork: true, HasRoom: true };
}
