using System.CommandLine;
using Gateway.Cli.Calibration;
using Gateway.Cli.Profiles;
using Gateway.Configuration;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary>The verb <c>calibrate</c>: measures an engine, or reads an access log, and writes the engine's profile.</summary>
public static class CalibrateVerb
{
    private static readonly Option<string?> Url = new("--url") { Description = "Address of a live OpenAI-compatible engine to probe.", HelpName = "URL" };
    private static readonly Option<string?> Log = new("--log") { Description = "Access log of the gateway to fit instead, plain or gzip; no engine is asked.", HelpName = "FILE" };
    private static readonly Option<string?> Model = new("--model") { Description = "Model to probe, or to pick out of the log." };
    private static readonly Option<string> Out = new("--out") { Description = "Profile to write.", HelpName = "PROFILE.yaml", DefaultValueFactory = _ => "profile.yaml" };
    private static readonly Option<string> Base = new("--base") { Description = "Profile that lends what the data cannot tell: " + ProfileSource.Known + ".", DefaultValueFactory = _ => EngineProfiles.A100Llama8B.Name };
    private static readonly Option<int> Requests = new("--requests") { Description = "Requests to spend at most.", DefaultValueFactory = _ => 200 };
    private static readonly Option<int> Seconds = new("--seconds") { Description = "Seconds to spend at most.", DefaultValueFactory = _ => 120 };
    private static readonly Option<string?> ApiKeyEnv = new("--api-key-env") { Description = "Environment variable that holds the engine's key.", HelpName = "NAME" };

    /// <summary>The verb. Exit codes: 0 the profile is written, 1 the engine or the file system refused, 2 wrong usage or a broken log.</summary>
    public static Command Create()
    {
        var command = new Command("calibrate", "Measure an engine and write its profile for replay and the simulated engine.") { Url, Log, Model, Out, Base, Requests, Seconds, ApiKeyEnv };
        Requests.Require(requests => requests is >= 5 and <= 100_000, "a number of requests, 5 to 100000");
        Seconds.Require(seconds => seconds is >= 1 and <= 86_400, "a number of seconds, 1 to 86400");
        command.Validators.Add(result =>
        {
            // An option without a value, or given twice, is reported by the parser itself; asking for its value here would throw.
            if (Array.Exists<Option>([Url, Log, Out, ApiKeyEnv], option => result.GetResult(option) is { Implicit: false, Tokens.Count: not 1 }))
            {
                return;
            }

            var (url, log) = (result.GetValue(Url), result.GetValue(Log));
            if (result.GetValue(Out) is { } path && WholeFile.Problem(path, log) is { } problem)
            {
                result.AddError($"--out: \"{SettingText.Shown(path)}\" {problem}");
            }
            if ((url is null) == (log is null))
            {
                result.AddError("calibrate: give either --url URL or --log FILE.");
            }

            if (url is not null && (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https")))
            {
                result.AddError($"--url: \"{SettingText.Shown(url)}\" is not an http or https address. Write it like http://10.0.0.11:8000.");
            }

            Option[] ofProbing = [Requests, Seconds, ApiKeyEnv];
            if (log is not null && Array.Find(ofProbing, option => result.GetResult(option) is { Implicit: false }) is { } lonely)
            {
                result.AddError($"{lonely.Name}: has a meaning only with --url URL; a log is read whole.");
            }

            if (result.GetValue(ApiKeyEnv) is { } variable && string.IsNullOrEmpty(Environment.GetEnvironmentVariable(variable)))
            {
                result.AddError($"--api-key-env: there is no environment variable \"{SettingText.Shown(variable)}\".");
            }
        });
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        var (output, error) = (arguments.InvocationConfiguration.Output, arguments.InvocationConfiguration.Error);
        var (lender, problems) = ProfileSource.Load(arguments.GetRequiredValue(Base));
        if (lender is null)
        {
            await error.WriteLineAsync(ProblemReport.Format(problems, "Nothing was measured."));
            return 2;
        }

        using var stop = new StopSignals(cancellationToken);
        CalibrationResult result;
        try
        {
            result = arguments.GetValue(Log) is { } log
                ? LogCalibration.Run(log, arguments.GetValue(Model), lender)
                : await WithProgressAsync(Engine(arguments, lender), output, stop.Token);
        }
        catch (TraceException wrong)
        {
            await error.WriteLineAsync($"{wrong.Message}\nNothing was written.");
            return 2;
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            await error.WriteLineAsync("Stopped; nothing was written.");
            return 1;
        }

        foreach (var note in result.Notes)
        {
            await output.WriteLineAsync(OneLine.Of(note));
        }

        if (result.Fit is not { } fit)
        {
            await error.WriteLineAsync($"calibrate: {OneLine.Of(result.Problem ?? "")} Nothing was written.");
            return 1;
        }

        await output.WriteLineAsync();
        foreach (var line in FitReport.Lines(fit))
        {
            await output.WriteLineAsync(line);
        }

        var path = arguments.GetRequiredValue(Out);
        var profile = fit.Profile with { Name = Path.GetFileNameWithoutExtension(path) };
        if (WholeFile.TryWrite(path, ProfileYaml.Write(profile, [.. FitReport.Notes(fit), .. result.Notes])) is { } refused)
        {
            await error.WriteLineAsync($"calibrate: {path}: {refused}");
            return 1;
        }

        await output.WriteLineAsync($"\n{path} written. Use it with --profile {path}.");
        return 0;
    }

    private static EngineCalibration Engine(ParseResult arguments, EngineProfile lender) => new(
        new Uri(arguments.GetRequiredValue(Url)!),
        arguments.GetValue(Model),
        arguments.GetValue(ApiKeyEnv) is { } variable ? Environment.GetEnvironmentVariable(variable) : null,
        arguments.GetValue(Requests),
        TimeSpan.FromSeconds(arguments.GetValue(Seconds)),
        lender);

    private static async Task<CalibrationResult> WithProgressAsync(EngineCalibration engine, TextWriter output, CancellationToken cancellationToken)
    {
        await output.WriteLineAsync(FormattableString.Invariant($"Probing {engine.Url.Host}:{engine.Url.Port} with at most {engine.Requests} requests in {engine.Time.TotalSeconds:0} s."));
        if (output != Console.Out || Console.IsOutputRedirected)
        {
            return await engine.RunAsync((step, used, all) => output.WriteLine(FormattableString.Invariant($"{used,5}/{all} {step}")), TimeProvider.System, cancellationToken);
        }

        return await AnsiConsole.Progress().AutoClear(true).StartAsync(async bars =>
        {
            var bar = bars.AddTask("starting", maxValue: engine.Requests);
            return await engine.RunAsync(
                (step, used, _) =>
                {
                    bar.Description = Markup.Escape(step);
                    bar.Value = used;
                },
                TimeProvider.System,
                cancellationToken);
        });
    }
}
