using Gateway.Cli.Replays;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli.Live;

/// <summary>What a load on a real endpoint came to.</summary>
/// <param name="Report">The load's run first, then the simulated policies; null: nothing was sent.</param>
/// <param name="Problem">What went wrong, for the user; null: all was done.</param>
/// <param name="IsWhole">Whether the workload was sent to its end.</param>
internal sealed record LiveOutcome(ReplayReport? Report, string? Problem, bool IsWhole);

/// <summary>Loads a real endpoint with a workload, with a bar on the terminal, and simulates policies on the same workload after it.</summary>
internal static class LiveRun
{
    /// <summary>The name of the measured run among the policies.</summary>
    public const string Name = "live";

    private static readonly TimeSpan BarInterval = TimeSpan.FromMilliseconds(200);

    /// <param name="console">Where the bar is shown.</param>
    /// <param name="isTerminal">Whether anybody sees it.</param>
    /// <param name="target">The endpoint.</param>
    /// <param name="plan">The workload; its policies are simulated, none or more.</param>
    /// <param name="cancellationToken">Gives up what is open.</param>
    /// <exception cref="TraceException">The workload is damaged.</exception>
    public static async Task<LiveOutcome> RunAsync(IAnsiConsole console, bool isTerminal, LiveTarget target, ReplayPlan plan, CancellationToken cancellationToken)
    {
        try
        {
            return await RunAllAsync(console, isTerminal, target, plan, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            return new LiveOutcome(null, "Stopped outside the load itself: no figures and no file.", IsWhole: false);
        }
    }

    private static async Task<LiveOutcome> RunAllAsync(IAnsiConsole console, bool isTerminal, LiveTarget target, ReplayPlan plan, CancellationToken cancellationToken)
    {
        // Read once before anything is sent: a damaged trace is no reason to load an engine.
        var extent = TraceExtent.Of(TraceSource.Open(plan.TraceSpec, plan.Trace), cancellationToken);
        using var client = new LiveClient(target, TimeProvider.System);
        var (model, problem) = await client.FindModelAsync(cancellationToken);
        if (model is null)
        {
            return new LiveOutcome(null, problem, IsWhole: false);
        }
        await client.WarmUpAsync(model, cancellationToken);
        var statistics = new RunStatistics(plan.Slo);
        var load = new LiveLoad(client, model, target.MostOpen, statistics, TimeProvider.System);
        var work = load.RunAsync(TraceSource.Open(plan.TraceSpec, plan.Trace), cancellationToken);
        if (isTerminal)
        {
            await ShowAsync(console, work, load, extent.Requests);
        }
        var figures = await work;
        var report = new ReplayReport
        {
            Trace = extent.Name,
            Fleet = $"{model} at {target.Root.Authority}",
            Seed = plan.Settings.Seed,
            Slo = plan.Slo,
            Runs = [new PolicyRun(Name, statistics.Summarize())],
            Load = figures,
        };
        if (cancellationToken.IsCancellationRequested)
        {
            return new LiveOutcome(report, $"Stopped: the figures are those of {ReportColumn.Count(load.Progress.Ended)} of {ReportColumn.Count(extent.Requests)} requests. No file was written.", IsWhole: false);
        }
        return new LiveOutcome(
            plan.Policies.Count > 0 ? await BesideAsync(console, isTerminal, report, plan, cancellationToken) : report,
            figures.Sent > 0 && load.Progress.Ended == load.Progress.Failed ? "Every request failed." : null, IsWhole: true);
    }

    private static async Task<ReplayReport> BesideAsync(IAnsiConsole console, bool isTerminal, ReplayReport live, ReplayPlan plan, CancellationToken cancellationToken)
    {
        var (simulated, _) = await ReplayProgress.ShowAsync(console, isTerminal, plan, cancellationToken);
        return live with { Fleet = $"{live.Fleet}, simulated {simulated.Fleet}", Runs = [.. live.Runs, .. simulated.Runs] };
    }

    private static async Task ShowAsync(IAnsiConsole console, Task work, LiveLoad load, long requests) =>
        await console.Progress().AutoClear(true).StartAsync(async shown =>
        {
            var bar = shown.AddTask("sending", maxValue: requests);
            while (!work.IsCompleted)
            {
                var (ended, failed, open) = load.Progress;
                bar.Value = ended;
                bar.Description = $"{ReportColumn.Count(open)} open, {ReportColumn.Count(failed)} failed";
                await Task.WhenAny(work, Task.Delay(BarInterval, TimeProvider.System, CancellationToken.None));
            }
        });
}
