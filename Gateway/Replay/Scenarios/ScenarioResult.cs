namespace Gateway.Replay.Scenarios;

/// <summary>What became of one claim.</summary>
public sealed record ScenarioResult
{
    /// <summary>Within this of 1 two figures are the same.</summary>
    private const double SameWithin = 0.02;

    public required ScenarioFile File { get; init; }

    public required ScenarioExperiment Experiment { get; init; }

    public required ScenarioClaim Claim { get; init; }

    /// <summary>The data file without which the experiment was skipped; null: it was run.</summary>
    public string? Missing { get; init; }

    /// <summary>Figures of baseline and policy, one pair per seed; null where a run has no such figure. Empty where the experiment was skipped.</summary>
    public required IReadOnlyList<(double? Baseline, double? Policy)> Pairs { get; init; }

    /// <summary>Figures of the best policy, one per seed; null where there is none.</summary>
    public IReadOnlyList<double?> Bests { get; init; } = [];

    /// <summary>How much of the best policy's gain over the baseline the policy has, over all seeds; null without a best policy or without a gain.</summary>
    public double? Recovered => Mean(Bests) is { } best && Bests.Count > 0 ? RecoveredOf(Baseline, Policy, best) : null;

    /// <summary>Mean over the seeds; null where one of them has no figure.</summary>
    public double? Baseline => Mean(Pairs.Select(pair => pair.Baseline));

    /// <summary>Mean over the seeds; null where one of them has no figure.</summary>
    public double? Policy => Mean(Pairs.Select(pair => pair.Policy));

    /// <summary>Policy over baseline; null where there is nothing to divide.</summary>
    public double? Ratio => Baseline is { } baseline and not 0 && Policy is { } policy ? policy / baseline : null;

    /// <summary>Seeds in which the figure moved as claimed.</summary>
    public int Holds => Pairs.Where((_, seed) => HoldsIn(seed)).Count();

    /// <summary>Whether it did in all of them.</summary>
    public bool IsReproduced => Missing is null && Holds == Pairs.Count;

    private bool HoldsIn(int seed) => Pairs[seed] is ({ } baseline, { } policy) && Claim.Expect switch
    {
        ClaimDirection.Lower => policy < baseline,
        ClaimDirection.Higher => policy > baseline,
        ClaimDirection.Within => policy <= Claim.Most * baseline,
        ClaimDirection.Recovers => RecoveredOf(baseline, policy, Bests[seed]) >= Claim.Share,
        _ => Math.Abs(policy - baseline) <= SameWithin * Math.Abs(baseline),
    };

    private static double? RecoveredOf(double? baseline, double? policy, double? best) =>
        baseline - best is { } most and not 0 ? (baseline - policy) / most : null;

    private static double? Mean(IEnumerable<double?> figures) => figures.Any(figure => figure is null) ? null : figures.DefaultIfEmpty().Average();
}
