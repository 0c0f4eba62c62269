namespace Gateway.Replay.Reports;

/// <summary>One policy's run over the workload.</summary>
public sealed record PolicyRun(string Policy, RunSummary Summary);

/// <summary>A measured run of a real engine beside the simulated one on the same arrivals and lengths.</summary>
/// <param name="Name">What was measured, such as the GPU.</param>
/// <param name="Measured">The figures of the real engine.</param>
/// <param name="Simulated">The figures of the model.</param>
public sealed record MeasuredComparison(string Name, RunSummary Measured, RunSummary Simulated);

/// <summary>Everything that a replay found, for the terminal, for machines and as a page. Holds no path, and no wall-clock figure unless a real endpoint was measured.</summary>
public sealed record ReplayReport
{
    /// <summary>The workload's name, without a folder.</summary>
    public required string Trace { get; init; }

    /// <summary>The fleet in words, such as "4 × rtx4090-llama-8b".</summary>
    public required string Fleet { get; init; }

    public long Seed { get; init; }

    public SloLimits Slo { get; init; } = SloLimits.None;

    /// <summary>The policies in the order asked for; ratios are to the first.</summary>
    public IReadOnlyList<PolicyRun> Runs { get; init; } = [];

    /// <summary>How the load on a real endpoint went, whose run then is the first; null: everything was simulated.</summary>
    public LoadFigures? Load { get; init; }

    /// <summary>One curve per policy; empty without a sweep.</summary>
    public IReadOnlyList<SweepResult> Sweeps { get; init; } = [];

    /// <summary>Empty without a measured run.</summary>
    public IReadOnlyList<MeasuredComparison> Comparisons { get; init; } = [];
}
