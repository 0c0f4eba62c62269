using System.Globalization;
using Gateway.Replicas;
using Spectre.Console;

namespace Gateway.Cli.Demo;

/// <summary>Shows the workload while it runs: a table in a terminal, a line a second elsewhere.</summary>
internal sealed class DemoProgress(IAnsiConsole console, bool isTerminal, TimeProvider time)
{
    private static readonly TimeSpan TableInterval = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LineInterval = TimeSpan.FromSeconds(1);

    /// <summary>Shows until the work is done, whatever its ending; the ending is the caller's to look at.</summary>
    public async Task ShowAsync(Task work, DemoRun run, Pool pool)
    {
        if (!isTerminal)
        {
            while (!await IsDoneAsync(work, LineInterval))
            {
                console.WriteLine(Line(run));
            }
            return;
        }
        await console.Live(Table(run, pool)).StartAsync(async live =>
        {
            var isDone = false;
            while (!isDone)
            {
                isDone = await IsDoneAsync(work, TableInterval);
                live.UpdateTarget(Table(run, pool));
            }
        });
    }

    private async Task<bool> IsDoneAsync(Task work, TimeSpan interval) => await Task.WhenAny(work, Task.Delay(interval, time)) == work;

    private static string Line(DemoRun run) => string.Create(
        CultureInfo.InvariantCulture,
        $"{run.Elapsed.TotalSeconds,5:0.0} s  {run.Results.Count,3} of {run.Requests} requests, {run.Results.Count(result => result.Failure is not null)} failed, {run.Results.Sum(result => result.OutputTokens)} tokens");

    private static Table Table(DemoRun run, Pool pool)
    {
        var results = run.Results.ToArray();
        var table = new Table().Border(TableBorder.Rounded).Title(Line(run).Trim().EscapeMarkup());
        table.AddColumns("replica", "running", "reserved tokens", "answered", "output tokens");
        foreach (var replica in pool.ReplicaList)
        {
            var now = replica.Snapshot();
            var answered = results.Where(result => result.Replica == replica.Id).ToArray();
            table.AddRow(
                replica.Id, Number(now.RunningRequests), Number(now.ReservedTokens), Number(answered.Length),
                Number(answered.Sum(result => (long)result.OutputTokens)));
        }
        return table;
    }

    private static string Number(long value) => value.ToString("N0", CultureInfo.InvariantCulture);
}
