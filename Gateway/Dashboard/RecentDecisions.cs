using Gateway.Queueing;
using Gateway.Requests;

namespace Gateway.Dashboard;

/// <summary>One request's turn, as the status page shows it. No text of a request.</summary>
public sealed record Decision
{
    /// <summary>1 for the first of the process; one more each. Given when it is added.</summary>
    public long Number { get; internal set; }

    public required DateTimeOffset At { get; init; }

    public required string RequestId { get; init; }

    public required string Model { get; init; }

    public required PriorityClass Priority { get; init; }

    /// <summary>As it may be shown; null: it may not, or there is none.</summary>
    public string? Tenant { get; init; }

    public int PromptTokens { get; init; }

    /// <summary>As expected when it came.</summary>
    public double OutputTokens { get; init; }

    public required AdmissionOutcome Outcome { get; init; }

    /// <summary>Null: refused.</summary>
    public string? ReplicaId { get; init; }

    public PlacementReason Reason { get; init; }

    public HoldReason HeldFor { get; init; }

    public TimeSpan Waited { get; init; }

    public int PrefixHitTokens { get; init; }

    /// <summary>The cheapest places when it came, at most <see cref="RecentDecisions.MaxPlaces"/>; empty: they were not asked for. Given when it is added.</summary>
    public IReadOnlyList<DecisionPlace> Places { get; internal set; } = [];

    /// <summary>Whether their costs are times. Given when it is added.</summary>
    public bool CostsAreSeconds { get; internal set; }
}

/// <summary>A replica as a place for a request, with its cost; see <see cref="Decision.CostsAreSeconds"/>.</summary>
public readonly record struct DecisionPlace(string ReplicaId, double Cost, bool HasRoom);

/// <summary>The newest decisions. Thread-safe, bounded.</summary>
/// <param name="time">The clock.</param>
public sealed class RecentDecisions(TimeProvider time)
{
    /// <summary>Decisions kept.</summary>
    public const int Capacity = 200;

    /// <summary>Places kept of a decision.</summary>
    public const int MaxPlaces = 4;

    // Explaining costs more than deciding: enough to read, and too few to be felt.
    private static readonly TimeSpan ExplainEvery = TimeSpan.FromMilliseconds(500);

    private readonly Lock _gate = new();
    private readonly Decision?[] _ring = new Decision?[Capacity];
    private long _count;
    private long _explainedAt = long.MinValue;
    private int _readers;

    /// <summary>Whether the next decision should come with its places: somebody looks, and the last such one is a while ago.</summary>
    public bool WantsPlaces()
    {
        if (Volatile.Read(ref _readers) == 0)
        {
            return false;
        }
        var (now, before) = (time.GetTimestamp(), Volatile.Read(ref _explainedAt));
        return (before == long.MinValue || time.GetElapsedTime(before, now) >= ExplainEvery) && Interlocked.CompareExchange(ref _explainedAt, now, before) == before;
    }

    /// <summary>Somebody begins to look, or ends.</summary>
    public void Watch(bool begins) => Interlocked.Add(ref _readers, begins ? 1 : -1);

    /// <param name="decision">Added once; its number and its places are given here.</param>
    /// <param name="before">How things stood when it came; null: nobody asked.</param>
    public void Add(Decision decision, Explanation? before)
    {
        decision.Places = before is null ? [] : PlacesOf(before);
        decision.CostsAreSeconds = before?.CostsAreSeconds ?? true;
        lock (_gate)
        {
            _ring[_count % Capacity] = decision;
            decision.Number = ++_count;
        }
    }

    /// <summary>Decisions after the one of a number, the oldest first; all, where the number was not given here but by the process before this one.</summary>
    public IReadOnlyList<Decision> After(long number)
    {
        lock (_gate)
        {
            var first = Math.Max(number > _count ? 0 : Math.Max(0, number), _count - Capacity);
            var decisions = new List<Decision>();
            for (var at = first; at < _count; at++)
            {
                decisions.Add(_ring[at % Capacity]!);
            }
            return decisions;
        }
    }

    private static DecisionPlace[] PlacesOf(Explanation explanation) =>
    [
        .. explanation.Candidates.Where(candidate => candidate.Candidate.Replica.AcceptsWork && double.IsFinite(candidate.CostSeconds))
            .OrderBy(candidate => candidate.CostSeconds).Take(MaxPlaces)
            .Select(candidate => new DecisionPlace(candidate.Candidate.Replica.Id, candidate.CostSeconds, candidate.HasRoom)),
    ];
}
