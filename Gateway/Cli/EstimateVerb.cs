using System.CommandLine;
using Gateway.Cli.Estimates;
using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Replay.Estimates;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary><c>gateway estimate --train FILE... --test FILE...</c>: how well each estimator foretells the length of answers, on recorded requests.</summary>
public static class EstimateVerb
{
    private static readonly Option<string[]> Train = new("--train") { Description = "Files to learn from: prompts with output lengths as JSON lines, or the gateway's access log; plain or gzip.", HelpName = "FILE...", AllowMultipleArgumentsPerToken = true, Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string[]> Test = new("--test") { Description = "Files to test on. Where a file is also in --train, all rows are divided 60/40 by prompt_id.", HelpName = "FILE...", AllowMultipleArgumentsPerToken = true, Required = true, Arity = ArgumentArity.OneOrMore };
    private static readonly Option<bool> Online = new("--online") { Description = "Learn from the tested rows too, in their order, each 20 requests after its estimate; several files come interleaved, each at its own even pace. --train may then be absent." };
    private static readonly Option<bool> LeaveOut = new("--leave-out") { Description = "Each file in turn as an application never seen: learn all others, then go online through it. Figures from the 201st completion on." };
    private static readonly Option<string?> Estimators = new("--estimators") { Description = "Estimators with commas between; all when absent. A wrong word lists what is known.", HelpName = "a,b" };
    private static readonly Option<bool> ByModel = new("--by-model") { Description = "One row per model in the tables of each source." };
    private static readonly Option<int> Seed = new("--seed") { Description = "Decides the division of prompts.", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> Json = new("--json") { Description = "Also write all figures for machines.", HelpName = "OUT" };

    /// <summary>The verb. Exit codes: 0 done, 1 a file could not be written, 2 wrong usage or a damaged file.</summary>
    public static Command Create()
    {
        var command = new Command("estimate", "Compare estimators of answer lengths on recorded requests.") { Train, Test, Online, LeaveOut, Estimators, ByModel, Seed, Json };
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken) =>
        ReportingVerb.RunAsync(arguments, (console, isTerminal, stop) => ReportAsync(arguments, console, isTerminal, stop), cancellationToken);

    private static async Task<int> ReportAsync(ParseResult arguments, IAnsiConsole console, bool isTerminal, CancellationToken cancellationToken)
    {
        var plan = PlanOf(arguments);
        var (report, paces) = await EstimateProgress.ShowAsync(console, isTerminal, plan, cancellationToken);
        EstimateTable.Write(console, report, paces, arguments.GetValue(ByModel));
        if (arguments.GetValue(Json) is { } path)
        {
            WholeFile.Write(path, EstimateJson.Write(report));
        }
        return 0;
    }

    private static EstimatePlan PlanOf(ParseResult arguments)
    {
        var training = PathsOf(arguments.GetValue(Train));
        var test = PathsOf(arguments.GetValue(Test));
        var isLeaveOut = arguments.GetValue(LeaveOut);
        var isOnline = arguments.GetValue(Online) || isLeaveOut;
        if (test.Length == 0)
        {
            throw new TraceException("--test is needed: what is to be foretold?");
        }
        if (training.Length == 0 && !isOnline)
        {
            throw new TraceException("--train is needed: what is to be learned from? Only with --online or --leave-out it may be absent.");
        }
        if (arguments.GetValue(Json) is { } path && WholeFile.Problem(path, [.. training, .. test]) is { } problem)
        {
            throw new TraceException($"--json: \"{path}\" {problem}");
        }
        var settings = new EstimateSettings { Estimators = EstimatorsOf(arguments.GetValue(Estimators)), IsOnline = isOnline, Seed = arguments.GetValue(Seed) };
        var plan = new EstimatePlan(training, test, isLeaveOut, settings);
        if (isLeaveOut && plan.All.Count < 2)
        {
            throw new TraceException("--leave-out needs at least two files: one is left out, the others are learned.");
        }
        return plan;
    }

    // One file has one name, however it was written.
    private static string[] PathsOf(string[]? files) =>
        [.. (files ?? []).Where(file => file.Length > 0).Select(Path.GetFullPath).Distinct(StringComparer.Ordinal)];

    private static string[] EstimatorsOf(string? text)
    {
        if (text is null)
        {
            return [.. OutputLengthEstimators.Names];
        }
        var names = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Distinct(StringComparer.Ordinal).ToArray();
        var unknown = names.FirstOrDefault(name => !OutputLengthEstimators.Names.Contains(name));
        return unknown is null && names.Length > 0 ? names
            : throw new TraceException($"--estimators: no estimator is called \"{unknown ?? text}\". Known: {string.Join(", ", OutputLengthEstimators.Names)}."
                + (unknown is not null && NearestWord.To(unknown, OutputLengthEstimators.Names) is { } near ? $" Did you mean \"{near}\"?" : ""));
    }
}
