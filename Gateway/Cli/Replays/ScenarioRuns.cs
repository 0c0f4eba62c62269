using Gateway.Configuration;
using Gateway.Replay.Scenarios;
using Spectre.Console;

namespace Gateway.Cli.Replays;

/// <summary><c>gateway replay --scenarios DIR_OR_FILE</c>: published claims, run again.</summary>
internal static class ScenarioRuns
{
    /// <summary>The data folder: that of the environment variable, else the usual one beside the working directory.</summary>
    public static DataFiles Data() => new(Environment.GetEnvironmentVariable("GATEWAY_DATA") is { Length: > 0 } folder ? folder : Path.Combine("..", "shared", "data"));

    /// <summary>Reads the files; null when one of them has problems, which are then told.</summary>
    /// <param name="path">A file, or a folder whose <c>*.yaml</c> are read in the order of their names.</param>
    /// <param name="data">Where data files are.</param>
    /// <param name="error">Where problems are told.</param>
    public static IReadOnlyList<ScenarioFile>? Read(string path, DataFiles data, TextWriter error)
    {
        var files = new List<ScenarioFile>();
        var problems = new List<ConfigurationProblem>();
        foreach (var file in FilesOf(path, problems))
        {
            var read = ConfigurationFile.Read(file, out var problem) is { } text
                ? ScenarioReader.Read(text, file, data)
                : new LoadResult<ScenarioFile>(null, [new ConfigurationProblem(SourceSpot.Of(file), "", problem!, null)]);
            problems.AddRange(read.Problems);
            files.AddRange(read.Options is { } scenario ? [scenario] : []);
        }
        if (problems.Count == 0)
        {
            return files;
        }
        error.WriteLine(ProblemReport.Format(problems, "Nothing was run."));
        return null;
    }

    /// <summary>Runs everything, with a bar on a terminal, and prints the table.</summary>
    public static async Task<IReadOnlyList<ScenarioResult>> RunAsync(
        IAnsiConsole console, bool isTerminal, IReadOnlyList<ScenarioFile> files, DataFiles data, bool isQuick, CancellationToken cancellationToken)
    {
        var suite = new ScenarioSuite(files, data, isQuick);
        var work = Task.Run(() => suite.Execute(Environment.ProcessorCount, cancellationToken), cancellationToken);
        if (isTerminal)
        {
            await console.Progress().AutoClear(true).StartAsync(async shown =>
            {
                var bar = shown.AddTask("running", maxValue: suite.Runs);
                while (!work.IsCompleted)
                {
                    bar.Value = suite.Finished;
                    await Task.WhenAny(work, Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancellationToken));
                }
            });
        }
        var results = await work;
        ScenarioTable.Write(console, results, isQuick);
        return results;
    }

    private static string[] FilesOf(string path, List<ConfigurationProblem> problems)
    {
        if (!Directory.Exists(path))
        {
            return [path];
        }
        string[] files = [.. Directory.EnumerateFiles(path, "*.yaml").Order(StringComparer.Ordinal)];
        if (files.Length == 0)
        {
            problems.Add(new ConfigurationProblem(SourceSpot.Of(path), "", "The folder holds no *.yaml.", null));
        }
        return files;
    }
}
