using System.Globalization;
using Gateway.Replay.Matrix;
using Gateway.Replay.Reports;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary>The losses of a matrix on the terminal, one line each; cells without one only count.</summary>
internal static class MatrixTable
{
    private const int Width = 400;

    /// <summary>Writes each cell's losses when the cell is done, and the sums at the end.</summary>
    public static IReadOnlyList<MatrixCell> Write(IAnsiConsole console, MatrixSuite suite, IEnumerable<MatrixCell> cells, bool isQuick)
    {
        console.Profile.Width = Math.Max(console.Profile.Width, Width);
        console.WriteLine("| workload | replicas | capacity [1/s] | load | baseline | figure | reference | baseline's | mean | p99 |");
        console.WriteLine("|---|--:|--:|--:|---|---|--:|--:|--:|--:|");
        var done = new List<MatrixCell>();
        foreach (var cell in cells)
        {
            done.Add(cell);
            foreach (var loss in MatrixVerdict.Losses(cell))
            {
                console.WriteLine(RowOf(loss));
            }
        }
        var lossy = done.Count(cell => MatrixVerdict.Losses(cell).Any(loss => !loss.IsLowLoad));
        var behind = done.Count(cell => MatrixVerdict.Losses(cell).Any(loss => loss.IsLowLoad));
        console.WriteLine($"{Counted.Of(done.Count, "cell")}, {Counted.Of(suite.Finished, "run")}: in {Count(lossy)} a baseline is better by more than 3 % on mean and p99; in {Count(behind)} at low load one is better by more than 1 % on the mean.");
        if (isQuick)
        {
            console.WriteLine("A quick run: few requests, one fleet and one seed, so that the figures prove nothing.");
        }
        return done;
    }

    private static string RowOf(MatrixLoss loss)
    {
        var (ours, theirs) = loss.Figure == "e2e"
            ? (loss.Cell.Reference.EndToEnd, loss.Baseline.EndToEnd)
            : (loss.Cell.Reference.TimeToFirstToken, loss.Baseline.TimeToFirstToken);
        return string.Create(CultureInfo.InvariantCulture, $"| {loss.Cell.Workload.Name} | {loss.Cell.Replicas} | {ReportColumn.Number(loss.Cell.CapacityPerSecond)} | {loss.Cell.Load} | {loss.Baseline.Policy} | {loss.Figure} | {ReportColumn.Number(ours.Mean)} / {ReportColumn.Number(ours.P99)} | {ReportColumn.Number(theirs.Mean)} / {ReportColumn.Number(theirs.P99)} | x{loss.MeanRatio:0.000}{(loss.IsLowLoad ? " (low load)" : "")} | {(loss.TailRatio is { } tail ? string.Create(CultureInfo.InvariantCulture, $"x{tail:0.000}") : "too few")} |");
    }

    private static string Count(int value) => value.ToString(CultureInfo.InvariantCulture);
}
