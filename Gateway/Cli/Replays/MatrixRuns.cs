using Gateway.Cli.Profiles;
using Gateway.Configuration;
using Gateway.Replay.Matrix;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary><c>gateway replay --matrix FILE</c>: where is a policy not the best?</summary>
internal static class MatrixRuns
{
    private const int QuickRequests = 1_000;

    /// <summary>Reads the file; null when it has problems, which are then told.</summary>
    public static MatrixFile? Read(string path, TextWriter error)
    {
        var read = ConfigurationFile.Read(path, out var problem) is { } text
            ? MatrixReader.Read(text, path)
            : new LoadResult<MatrixFile>(null, [new ConfigurationProblem(SourceSpot.Of(path), "", problem!, null)]);
        if (read.Options is null)
        {
            error.WriteLine(ProblemReport.Format(read.Problems, "Nothing was run."));
        }
        return read.Options;
    }

    /// <summary>Runs everything; losses are told as they are found, so that a long run shows early what it finds.</summary>
    /// <param name="console">Where the table goes.</param>
    /// <param name="file">Checked.</param>
    /// <param name="path">The file's place: profiles that are files are looked for beside it.</param>
    /// <param name="only">Only workloads whose name contains it; null: all.</param>
    /// <param name="isQuick">Few requests, one fleet, one seed: to see that everything runs, not what it shows.</param>
    /// <param name="cancellationToken">Gives everything up.</param>
    /// <exception cref="TraceException">A workload or a profile cannot be read, or no workload is left.</exception>
    public static IReadOnlyList<MatrixCell> Run(IAnsiConsole console, MatrixFile file, string path, string? only, bool isQuick, CancellationToken cancellationToken)
    {
        var workloads = file.Workloads.Where(workload => only is null || workload.Name.Contains(only, StringComparison.OrdinalIgnoreCase)).ToArray();
        if (workloads.Length == 0)
        {
            throw new TraceException($"--only: no workload's name contains \"{only}\". Known: {string.Join(", ", file.Workloads.Select(workload => workload.Name))}.");
        }
        var sources = new List<MatrixSource>();
        var data = ScenarioRuns.Data();
        foreach (var workload in workloads)
        {
            if (data.MissingFor(workload.Trace) is { } missing)
            {
                console.WriteLine($"Skipped: {workload.Name}: no {missing} in the folder that GATEWAY_DATA names (../shared/data without it).");
                continue;
            }
            var shown = isQuick ? workload with { Limit = Math.Min(workload.Limit, QuickRequests) } : workload;
            sources.Add(new MatrixSource(shown, data.Resolve(workload.Trace), ProfileOf(workload.Profile, path)));
        }
        var suite = new MatrixSuite(isQuick ? file with { Replicas = [.. file.Replicas.Take(1)], Seeds = 1 } : file, sources);
        return MatrixTable.Write(console, suite, suite.Execute(cancellationToken), isQuick);
    }

    private static Simulation.EngineProfile ProfileOf(string word, string matrix)
    {
        var (profile, problems) = ProfileSource.Load(ProfileSource.IsFile(word) ? Path.Combine(Path.GetDirectoryName(matrix) ?? "", word) : word);
        return profile ?? throw new TraceException(ProblemReport.Format(problems, "Nothing was run."));
    }
}
