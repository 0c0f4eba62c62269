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
    private const string DataVariable = "GATEWAY_DATA";

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
    /// <param name="isQuick">Few requests, one fleet: to see that everything runs, not what it shows.</param>
    /// <param name="cancellationToken">Gives everything up.</param>
    /// <exception cref="TraceException">A workload or a profile cannot be read.</exception>
    public static IReadOnlyList<MatrixCell> Run(IAnsiConsole console, MatrixFile file, string path, string? only, bool isQuick, CancellationToken cancellationToken)
    {
        var workloads = file.Workloads.Where(workload => only is null || workload.Name.Contains(only, StringComparison.OrdinalIgnoreCase));
        var sources = new List<MatrixSource>();
        foreach (var workload in workloads)
        {
            if (TraceOf(workload.Trace) is { } trace)
            {
                sources.Add(new MatrixSource(isQuick ? workload with { Limit = Math.Min(workload.Limit, QuickRequests) } : workload, trace, ProfileOf(workload.Profile, path)));
            }
            else
            {
                console.WriteLine($"Skipped: {workload.Name}: no {workload.Trace} here, nor under {DataVariable} or ../shared/data.");
            }
        }
        var suite = new MatrixSuite(isQuick ? file with { Replicas = [.. file.Replicas.Take(1)] } : file, sources);
        return MatrixTable.Write(console, suite, suite.Execute(cancellationToken), isQuick);
    }

    // A generator, a file, or a file under the folder of data.
    private static string? TraceOf(string spec)
    {
        if (!spec.Contains('/', StringComparison.Ordinal) || File.Exists(spec))
        {
            return spec;
        }
        var measured = Path.Combine(Environment.GetEnvironmentVariable(DataVariable) ?? Path.Combine("..", "shared", "data"), spec);
        return File.Exists(measured) ? measured : null;
    }

    private static Simulation.EngineProfile ProfileOf(string word, string matrix)
    {
        var (profile, problems) = ProfileSource.Load(ProfileSource.IsFile(word) ? Path.Combine(Path.GetDirectoryName(matrix) ?? "", word) : word);
        return profile ?? throw new TraceException(ProblemReport.Format(problems, "Nothing was run."));
    }
}
