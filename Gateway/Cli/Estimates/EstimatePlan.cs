using Gateway.Replay.Estimates;

namespace Gateway.Cli.Estimates;

/// <summary>What was asked for on the command line.</summary>
/// <param name="Training">Full paths of files to learn from; may be empty.</param>
/// <param name="Test">Full paths of files to test on.</param>
/// <param name="IsLeaveOut">Every file of both lists is left out in turn.</param>
/// <param name="Settings">What is judged, and how.</param>
internal sealed record EstimatePlan(IReadOnlyList<string> Training, IReadOnlyList<string> Test, bool IsLeaveOut, EstimateSettings Settings)
{
    /// <summary>Every file once.</summary>
    public IReadOnlyList<string> All { get; } = [.. Training.Union(Test, StringComparer.Ordinal)];
}
