using System.Runtime.ExceptionServices;
using Gateway.Replay;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary>Runs a plan, as many runs at a time as there are processors, with a bar on the terminal.</summary>
internal static class ReplayProgress
{
    /// <summary>Runs everything; the results are in the order of the plan, whatever finished first.</summary>
    public static async Task<(ReplayReport Report, IReadOnlyList<ReplayPace> Paces)> ShowAsync(
        IAnsiConsole console, bool isTerminal, ReplayPlan plan, CancellationToken cancellationToken)
    {
        var extent = TraceExtent.Of(TraceSource.Open(plan.TraceSpec, plan.Trace with { RateFactor = 1 }), cancellationToken);
        var factors = plan.RateFactors.Count > 0 ? plan.RateFactors : [plan.Trace.RateFactor];
        var tasks = plan.Policies.SelectMany(policy => factors.Select(factor => new ReplayTask(policy, factor))).ToArray();
        var progress = new RunProgress(extent.Requests * tasks.Length);
        var work = Task.Run(() => RunAll(plan, tasks, progress, cancellationToken), cancellationToken);
        if (isTerminal)
        {
            await console.Progress().AutoClear(true).StartAsync(async shown =>
            {
                var bar = shown.AddTask("replaying", maxValue: 1);
                while (!work.IsCompleted)
                {
                    bar.Value = progress.Share;
                    await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken));
                }
            });
        }
        var (summaries, paces) = await work;
        return (ReportOf(plan, extent, tasks, summaries), paces);
    }

    private static (RunSummary[] Summaries, ReplayPace[] Paces) RunAll(
        ReplayPlan plan, ReplayTask[] tasks, RunProgress progress, CancellationToken cancellationToken)
    {
        var summaries = new RunSummary[tasks.Length];
        var paces = new ReplayPace[tasks.Length];
        try
        {
            Parallel.For(0, tasks.Length, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, index =>
            {
                var startedAt = TimeProvider.System.GetTimestamp();
                var statistics = new RunStatistics(plan.Slo);
                var counted = new CountedObserver(statistics, progress);
                var trace = TraceSource.Open(plan.TraceSpec, plan.Trace with { RateFactor = tasks[index].RateFactor });
                new Replayer(plan.Settings, tasks[index].Policy, counted).Run(trace, cancellationToken);
                summaries[index] = statistics.Summarize();
                var took = TimeProvider.System.GetElapsedTime(startedAt);
                paces[index] = new ReplayPace(took, counted.Decisions / Math.Max(1e-9, took.TotalSeconds));
            });
        }
        catch (AggregateException several) when (several.InnerException is { } first)
        {
            ExceptionDispatchInfo.Throw(first);
        }
        return (summaries, paces);
    }

    private static ReplayReport ReportOf(ReplayPlan plan, TraceExtent extent, ReplayTask[] tasks, RunSummary[] summaries)
    {
        var isSweep = plan.RateFactors.Count > 0;
        return new ReplayReport
        {
            Trace = extent.Name,
            Fleet = $"{plan.Settings.Replicas} × {plan.Settings.Profile.Name}",
            Seed = plan.Settings.Seed,
            Slo = plan.Slo,
            Runs = isSweep ? [] : [.. tasks.Select((task, index) => new PolicyRun(task.Policy.Name, summaries[index]))],
            Sweeps = isSweep ? [.. plan.Policies.Select(policy => new SweepResult(policy.Name, tasks
                .Select((task, index) => (task, index)).Where(pair => pair.task.Policy == policy)
                .Select(pair => new SweepPoint(extent.RequestsPerSecond * pair.task.RateFactor, summaries[pair.index]))))] : [],
        };
    }

    private sealed class RunProgress(long total)
    {
        private long _done;

        public double Share => total == 0 ? 1 : Math.Min(1, Interlocked.Read(ref _done) / (double)total);

        public void Add() => Interlocked.Increment(ref _done);
    }

    private sealed class CountedObserver(IRunObserver inner, RunProgress progress) : IRunObserver
    {
        public long Decisions { get; private set; }

        public void OnRequest(in RequestResult result)
        {
            progress.Add();
            inner.OnRequest(result);
        }

        public void OnSample(in ReplicaSample sample) => inner.OnSample(sample);

        public void OnQueue(in QueueSample sample) => inner.OnQueue(sample);

        public void OnEnd(TimeSpan duration, long decisions, IReadOnlyList<EngineTotals> engines)
        {
            Decisions = decisions;
            inner.OnEnd(duration, decisions, engines);
        }
    }
}

/// <summary>How large a workload is.</summary>
/// <param name="Name">As reports call it.</param>
/// <param name="Requests">Rows.</param>
/// <param name="Duration">First to last arrival.</param>
internal sealed record TraceExtent(string Name, long Requests, TimeSpan Duration)
{
    public double RequestsPerSecond => Duration > TimeSpan.Zero ? Requests / Duration.TotalSeconds : 0;

    /// <summary>Reads a workload once; a damaged one is found before anything is run.</summary>
    /// <exception cref="TraceException">It is damaged or empty.</exception>
    public static TraceExtent Of(ITrace trace, CancellationToken cancellationToken)
    {
        long requests = 0;
        TimeSpan? first = null;
        var last = TimeSpan.Zero;
        foreach (var row in trace.Read())
        {
            cancellationToken.ThrowIfCancellationRequested();
            requests++;
            first ??= row.Arrival;
            last = row.Arrival;
        }
        return requests > 0
            ? new TraceExtent(trace.Name, requests, last - first!.Value)
            : throw new TraceException($"{trace.Name}: the workload has no requests.");
    }
}
