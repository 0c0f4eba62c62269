using System.CommandLine;
using System.Globalization;
using Gateway.Configuration;

namespace Gateway.Cli;

/// <summary><c>gateway check --config FILE</c>: says whether <c>serve</c> would start with the file, without starting anything.</summary>
public static class CheckVerb
{
    /// <summary>The verb. Exit codes: 0 the file is good, 2 it has problems or cannot be read.</summary>
    public static Command Create()
    {
        var config = new Option<string>("--config")
        {
            Description = "The configuration file to check.",
            HelpName = "FILE",
            DefaultValueFactory = _ => "config/gateway.yaml",
        };
        var command = new Command("check", "Check a configuration file and list every mistake in it.") { config };
        command.SetAction(parsed =>
        {
            var streams = parsed.InvocationConfiguration;
            return Run(parsed.GetValue(config)!, ConfigurationFile.ReadEnvironment(), streams.Output, streams.Error);
        });
        return command;
    }

    /// <summary>Checks one file: a line on <paramref name="output"/> where it is good, its problems on <paramref name="error"/> where not.</summary>
    /// <returns>The exit code.</returns>
    internal static int Run(string file, IReadOnlyDictionary<string, string> environment, TextWriter output, TextWriter error)
    {
        var (options, problems) = ConfigurationFile.Load(file, environment);
        if (options is null)
        {
            error.WriteLine(ProblemReport.Format(problems, "The gateway would not start."));
            return 2;
        }

        output.WriteLine($"{file}: ok, {Counted(options.Models.Count, "model")}, {Counted(options.Models.Sum(model => model.Replicas.Count), "replica")}.");
        return 0;
    }

    private static string Counted(int count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? "" : "s")}");
}
