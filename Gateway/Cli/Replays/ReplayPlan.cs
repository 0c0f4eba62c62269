using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;

namespace Gateway.Cli.Replays;

/// <summary>What a replay is to run.</summary>
internal sealed record ReplayPlan
{
    /// <summary>A trace file or a generator.</summary>
    public required string TraceSpec { get; init; }

    public required TraceSettings Trace { get; init; }

    public required ReplaySettings Settings { get; init; }

    public required IReadOnlyList<ReplayPolicy> Policies { get; init; }

    public SloLimits Slo { get; init; } = SloLimits.None;

    /// <summary>Rates of a sweep as factors on the trace's own; empty: one run at the trace's rate.</summary>
    public IReadOnlyList<double> RateFactors { get; init; } = [];
}

/// <summary>One run of a plan.</summary>
/// <param name="Policy">What decides.</param>
/// <param name="RateFactor">How many times as fast requests come.</param>
internal sealed record ReplayTask(ReplayPolicy Policy, double RateFactor);
