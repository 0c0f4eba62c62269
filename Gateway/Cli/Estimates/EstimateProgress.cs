using System.Globalization;
using Gateway.Replay.Estimates;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli.Estimates;

/// <summary>Carries out a plan, with a bar on the terminal.</summary>
internal static class EstimateProgress
{
    /// <exception cref="TraceException">A damaged file, one without a whole answer, or one side without rows.</exception>
    public static async Task<(EstimateReport Report, EstimatePaces Paces)> ShowAsync(
        IAnsiConsole console, bool isTerminal, EstimatePlan plan, CancellationToken cancellationToken)
    {
        var suite = new EstimateSuite(plan.Settings, TimeProvider.System, cancellationToken);
        var work = Task.Run(() => Run(plan, suite, cancellationToken), cancellationToken);
        if (isTerminal)
        {
            await console.Progress().AutoClear(true).StartAsync(async shown =>
            {
                var bar = shown.AddTask("estimating", maxValue: 1);
                while (!work.IsCompleted)
                {
                    bar.Value = suite.Share;
                    await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken));
                }
            });
        }
        return await work;
    }

    private static (EstimateReport Report, EstimatePaces Paces) Run(EstimatePlan plan, EstimateSuite suite, CancellationToken cancellationToken)
    {
        var reader = new LabelledRequestReader(TimeProvider.System);
        var files = plan.All.ToDictionary(path => path, path => reader.Read(path, cancellationToken), StringComparer.Ordinal);
        foreach (var path in plan.IsLeaveOut ? plan.All : plan.Test)
        {
            RequireWhole(files[path]);
        }
        var (report, paces) = plan.IsLeaveOut ? suite.LeaveOut([.. plan.All.Select(path => files[path])]) : Compare(plan, suite, files);
        return (report, new EstimatePaces(paces, reader.ReadingMicroseconds));
    }

    private static void RequireWhole(LabelledFile file)
    {
        if (file.Rows.Count > 0 && file.Rows.All(row => row.IsCensored))
        {
            throw new TraceException(string.Create(CultureInfo.InvariantCulture,
                $"{file.Name}: every answer was cut ({file.Rows.Count}), by their limit on tokens or because the client left, so nothing tells how long they would have become. Record some that ended by themselves."));
        }
    }

    private static (EstimateReport Report, IReadOnlyList<EstimatePace> Paces) Compare(EstimatePlan plan, EstimateSuite suite, Dictionary<string, LabelledFile> files)
    {
        var rows = EvaluationRows.Of([.. plan.Training.Select(path => files[path])], [.. plan.Test.Select(path => files[path])], plan.Settings.Seed);
        return rows.Test.Count == 0 || (plan.Training.Count > 0 && rows.Training.Count == 0)
            ? throw new TraceException("Divided by prompt, one side has no rows. Allowed: more prompts, another --seed, or different files for --train and --test.")
            : suite.Compare(rows);
    }
}
