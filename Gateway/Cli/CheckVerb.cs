using System.CommandLine;
using Gateway.Cli.Probes;
using Gateway.Configuration;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Discovery;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary><c>gateway check --config FILE</c>: says whether <c>serve</c> would start with the file, and with <c>--probe</c> what it would find. Starts nothing.</summary>
public static class CheckVerb
{
    /// <summary>The verb. Exit codes: 0 the file is good, 1 something about an engine must be fixed, 2 the file has problems or cannot be read.</summary>
    public static Command Create()
    {
        var config = new Option<string>("--config")
        {
            Description = "The configuration file to check.",
            HelpName = "FILE",
            DefaultValueFactory = _ => "config/gateway.yaml",
        };
        var probe = new Option<bool>("--probe") { Description = "Also ask every engine: whether it answers, what it is, and what must be fixed." };
        var command = new Command("check", "Check a configuration file and list every mistake in it.") { config, probe };
        var fileOf = ConfigurationArgument.AddTo(command, config);
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var streams = parsed.InvocationConfiguration;
            var code = Run(fileOf(parsed), ConfigurationFile.ReadEnvironment(), streams.Output, streams.Error, out var options);
            return options is null || !parsed.GetValue(probe) ? code
                : await ReportingVerb.RunAsync(parsed, (console, _, stop) => ProbeAsync(console, options, TimeProvider.System, stop), cancellationToken);
        });
        return command;
    }

    /// <summary>Asks every engine and shows what it said.</summary>
    /// <returns>The exit code.</returns>
    internal static async Task<int> ProbeAsync(IAnsiConsole console, GatewayOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        using var http = EngineAccess.CreateHttp(options.Resilience.ConnectTimeout);
        var fleet = await new FleetProbe(new EngineAccess(http, model => model.ApiKey(Environment.GetEnvironmentVariable), time), new SystemNameResolver()).AskAsync(options, cancellationToken);
        var problems = ProbeTable.Write(console, fleet);
        var output = console.Profile.Out.Writer;
        await output.WriteLineAsync();
        foreach (var model in options.Models.Where(model => model.Discovery.Kubernetes is not null))
        {
            await output.WriteLineAsync($"{model.Name}: replicas that Kubernetes tells of are not probed; /-/replicas of the running gateway shows them.");
        }
        await output.WriteLineAsync($"{Counted.Of(fleet.Count, "replica")} probed, {(problems == 0 ? "nothing" : Counted.Of(problems, "thing"))} to fix.");
        return problems == 0 ? 0 : 1;
    }

    /// <summary>Checks one file: a line on <paramref name="output"/> where it is good, its problems on <paramref name="error"/> where not.</summary>
    /// <returns>The exit code; <paramref name="options"/> are null unless it is 0.</returns>
    internal static int Run(string file, IReadOnlyDictionary<string, string> environment, TextWriter output, TextWriter error, out GatewayOptions? options)
    {
        var loaded = ConfigurationFile.Load(file, environment);
        options = loaded.Options;
        if (options is null)
        {
            error.WriteLine(ProblemReport.Format(loaded.Problems, "The gateway would not start."));
            return 2;
        }

        if (loaded.Warnings.Count > 0)
        {
            error.WriteLine(ProblemReport.Format(loaded.Warnings, "The gateway would start.", "warning"));
        }

        output.WriteLine($"{file}: ok, {Counted.Of(options.Models.Count, "model")}, {Counted.Of(options.Models.Sum(model => model.Replicas.Count), "replica")}.");
        return 0;
    }
}
