using System.CommandLine;
using System.Globalization;
using Gateway.Cli.Live;
using Gateway.Cli.Profiles;
using Gateway.Cli.Replays;
using Gateway.Configuration;
using Gateway.Replay;
using Gateway.Replay.Matrix;
using Gateway.Replay.Reports;
using Gateway.Replay.Scenarios;
using Gateway.Replay.Traces;
using Gateway.Simulation;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary>
/// <c>gateway replay --trace FILE</c>: what policies would make of a workload, in virtual time, before anything is changed; with <c>--live URL</c>, what a real
/// endpoint makes of it.
/// </summary>
public static class ReplayVerb
{
    private static readonly Option<string?> Trace = new("--trace") { Description = "A trace file, or a generator such as w1:rate=5. A wrong word lists what is known.", HelpName = "FILE" };
    private static readonly Option<string> Policies = new("--policies") { Description = "Policies with commas between: default, plain, or routing/order/admission/lengths/preempt; @3 behind one: three gateways that share what they know, @3:alone: that do not.", DefaultValueFactory = _ => "default,plain" };
    private static readonly Option<int> Replicas = new("--replicas") { Description = "Simulated engines.", DefaultValueFactory = _ => 4 };
    private static readonly Option<string> Profile = new("--profile") { Description = "What each engine is: " + ProfileSource.Known + ".", DefaultValueFactory = _ => EngineProfiles.Rtx4090Llama8B.Name };
    private static readonly Option<string?> Speeds = new("--speeds") { Description = "Speed of each engine relative to the profile, with commas between; engines beyond the list run at 1." };
    private static readonly Option<string> HopMs = new("--hop-ms") { Description = "Milliseconds that a request takes from the gateway to its engine, 0 to 1000: any but 0 misses the step that begins when room returns, as real ones do.", DefaultValueFactory = _ => "0" };
    private static readonly Option<string> Rate = new("--rate") { Description = "Makes the same requests come so many times as fast.", DefaultValueFactory = _ => "1" };
    private static readonly Option<string> Arrivals = new("--arrivals") { Description = "When requests come where the trace does not say: poisson:rate=R, gamma:rate=R,cv=C or uniform:rate=R.", DefaultValueFactory = _ => "poisson:rate=1" };
    private static readonly Option<long?> Limit = new("--limit") { Description = "Requests at most." };
    private static readonly Option<int> Seed = new("--seed") { Description = "Decides every draw; with --matrix in place of the file's.", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> Slo = new("--slo") { Description = "Limits that a good answer keeps, such as ttft=1s,tpot=100ms,e2e=30s; of one class interactive.ttft=1s. Orders edf:hard are told them as targets." };
    private static readonly Option<string?> Sweep = new("--sweep") { Description = "Runs at rates FROM to TO (factors, as --rate) in STEPS steps.", HelpName = "FROM:TO:STEPS" };
    private static readonly Option<string?> Measured = new("--measured") { Description = "A run recorded by a real engine: its curves beside the first policy's. With the same file as --trace it shows how faithful the engine model is.", HelpName = "FILE" };
    private static readonly Option<string?> Scenarios = new("--scenarios") { Description = "Instead of a trace: runs the published claims of a scenario file, or of all in a folder.", HelpName = "DIR_OR_FILE" };
    private static readonly Option<string?> Matrix = new("--matrix") { Description = "Instead of a trace: runs every workload, load, fleet and policy of a matrix file and tells where one policy is not the best.", HelpName = "FILE" };
    private static readonly Option<string?> Only = new("--only") { Description = "With --matrix: only workloads whose name contains it.", HelpName = "WORD" };
    private static readonly Option<int> Seeds = new("--seeds") { Description = "With --matrix, in place of the file's: runs everything so often, each time under the next seed, and compares the means.", DefaultValueFactory = _ => 1 };
    private static readonly Option<bool> Quick = new("--quick") { Description = "With --scenarios or --matrix: few requests, to see that everything runs." };
    private static readonly Option<string?> Json = new("--json") { Description = "Also write the results for machines.", HelpName = "OUT" };
    private static readonly Option<string?> Report = new("--report") { Description = "Also write one self-contained page with plots.", HelpName = "OUT.html" };

    /// <summary>The verb. Exit codes: 0 done, 1 a file could not be written or the endpoint did not serve, 2 wrong usage or a damaged trace.</summary>
    public static Command Create()
    {
        var command = new Command("replay", "Run a workload through the gateway's own core in front of simulated engines, under one policy or several.")
        {
            Trace, Policies, Replicas, Profile, Speeds, HopMs, Rate, Arrivals, Limit, Seed, Slo, Sweep, Measured, Scenarios, Matrix, Only, Seeds, Quick, Json, Report,
        };
        foreach (var option in LiveOptions.All)
        {
            command.Add(option);
        }
        command.SetAction(RunAsync);
        return command;
    }

    private static Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken) =>
        ReportingVerb.RunAsync(arguments, (console, isTerminal, stop) => ReportAsync(arguments, console, isTerminal, stop), cancellationToken);

    private static async Task<int> ReportAsync(ParseResult arguments, IAnsiConsole console, bool isTerminal, CancellationToken cancellationToken)
    {
        RequireWritable(arguments, Json, Report);
        RequireWritable(arguments, Report, Json);
        if (arguments.GetValue(Scenarios) is { } scenarios)
        {
            RequireOnly(arguments, Scenarios, Quick, Json);
            return await RunScenariosAsync(arguments, console, isTerminal, scenarios, cancellationToken);
        }
        if (arguments.GetValue(Matrix) is { } matrix)
        {
            RequireOnly(arguments, Matrix, Only, Quick, Json, Seed, Seeds);
            return RunMatrix(arguments, console, matrix, cancellationToken);
        }
        RequireNone(arguments, Only, Seeds, Quick);
        var plan = PlanOf(arguments);
        if (LiveOptions.TargetOf(arguments, plan.Settings.Seed) is { } target)
        {
            return await LoadAsync(arguments, console, isTerminal, target, plan, cancellationToken);
        }
        if (plan.Policies.Count == 0)
        {
            throw new TraceException("--policies: none is named. Write default, or routing/order/admission/lengths.");
        }
        if (plan.RateFactors.Count > 0 && IsGiven(arguments, Measured))
        {
            throw new TraceException("--measured: not together with --sweep, whose runs are at other rates than the measured one.");
        }
        var measured = MeasuredOf(arguments.GetValue(Measured), plan.Slo);
        var (report, paces) = await ReplayProgress.ShowAsync(console, isTerminal, plan, cancellationToken);
        report = measured is { } real && report.Runs is [var first, ..] ? report with { Comparisons = [new MeasuredComparison(real.Name, real.Run, first.Summary)] } : report;
        ReportTable.Write(console, report, paces);
        Write(arguments.GetValue(Json), ReportJson.Write(report));
        Write(arguments.GetValue(Report), ReportPage.Write(report));
        return 0;
    }

    private static async Task<int> LoadAsync(
        ParseResult arguments, IAnsiConsole console, bool isTerminal, LiveTarget target, ReplayPlan plan, CancellationToken cancellationToken)
    {
        if (plan.RateFactors.Count > 0)
        {
            throw new TraceException("--sweep: not together with --live. Run it once for each --rate.");
        }
        if (IsGiven(arguments, Measured))
        {
            throw new TraceException("--measured: not together with --live, whose figures are the measured ones.");
        }
        var isCompared = IsGiven(arguments, Policies);
        var (report, problem, isWhole) = await LiveRun.RunAsync(console, isTerminal, target, isCompared ? plan : plan with { Policies = [] }, cancellationToken);
        if (report is not null)
        {
            ReportTable.Write(console, report, []);
            if (isWhole)
            {
                Write(arguments.GetValue(Json), ReportJson.Write(report));
                Write(arguments.GetValue(Report), ReportPage.Write(report));
            }
        }
        if (problem is not null)
        {
            await arguments.InvocationConfiguration.Error.WriteLineAsync(problem);
        }
        return problem is null ? 0 : 1;
    }

    private static async Task<int> RunScenariosAsync(ParseResult arguments, IAnsiConsole console, bool isTerminal, string path, CancellationToken cancellationToken)
    {
        var data = ScenarioRuns.Data();
        if (ScenarioRuns.Read(path, data, arguments.InvocationConfiguration.Error) is not { } files)
        {
            return 2;
        }
        var results = await ScenarioRuns.RunAsync(console, isTerminal, files, data, arguments.GetValue(Quick), cancellationToken);
        Write(arguments.GetValue(Json), ScenarioJson.Write(results));
        return 0;
    }

    private static int RunMatrix(ParseResult arguments, IAnsiConsole console, string path, CancellationToken cancellationToken)
    {
        if (MatrixRuns.Read(path, arguments.InvocationConfiguration.Error) is not { } file)
        {
            return 2;
        }
        file = IsGiven(arguments, Seed) ? file with { Seed = Within(arguments.GetValue(Seed), 0, int.MaxValue, "--seed") } : file;
        file = IsGiven(arguments, Seeds) ? file with { Seeds = Within(arguments.GetValue(Seeds), 1, MatrixFile.MostSeeds, "--seeds") } : file;
        var cells = MatrixRuns.Run(console, file, path, arguments.GetValue(Only), arguments.GetValue(Quick), cancellationToken);
        Write(arguments.GetValue(Json), MatrixJson.Write(cells));
        return 0;
    }

    private static ReplayPlan PlanOf(ParseResult arguments)
    {
        var (profile, problems) = ProfileSource.Load(arguments.GetRequiredValue(Profile));
        var settings = new ReplaySettings
        {
            Profile = profile ?? throw new TraceException(ProblemReport.Format(problems, "Nothing was run.")),
            Replicas = Within(arguments.GetValue(Replicas), 1, 4_096, "--replicas"),
            Speeds = SpeedsOf(arguments.GetValue(Speeds), arguments.GetValue(Replicas)),
            Seed = arguments.GetValue(Seed),
            HopTime = HopOf(arguments.GetRequiredValue(HopMs)),
            Targets = SloWords.Parse(arguments.GetValue(Slo)).Targets,
        };
        var trace = new TraceSettings
        {
            Seed = settings.Seed,
            RateFactor = Number(arguments.GetRequiredValue(Rate), "--rate"),
            Limit = arguments.GetValue(Limit),
            Arrivals = arguments.GetRequiredValue(Arrivals),
        };
        return new ReplayPlan
        {
            TraceSpec = arguments.GetValue(Trace) ?? throw new TraceException("--trace, --scenarios or --matrix is needed: what is to be run?"),
            Trace = trace,
            Settings = settings,
            Policies = [.. arguments.GetRequiredValue(Policies).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(PolicyOf)],
            Slo = SloWords.Parse(arguments.GetValue(Slo)),
            RateFactors = FactorsOf(arguments.GetValue(Sweep), trace.RateFactor),
        };
    }

    /// <summary>Read before anything runs, so that a damaged file costs no time.</summary>
    private static (string Name, RunSummary Run)? MeasuredOf(string? file, SloLimits slo) =>
        file is null ? null : (Path.GetFileNameWithoutExtension(file), MeasuredRun.Read(file, slo));

    private static ReplayPolicy PolicyOf(string text) =>
        ReplayPolicy.Parse(text, out var problem) ?? throw new TraceException("--policies: " + problem);

    private static TimeSpan HopOf(string word) =>
        Number(word, "--hop-ms") is >= 0 and <= 1_000 and var milliseconds ? TimeSpan.FromMilliseconds(milliseconds) : throw Wrong("--hop-ms", word, "a time from 0 to 1000");

    private static double[] SpeedsOf(string? text, int replicas)
    {
        double[] speeds = text is null ? [] : [.. text.Split(',').Select(word => Number(word, "--speeds") is > 0 and <= 1_000 and var speed ? speed : throw Wrong("--speeds", word, "a number above 0, at most 1000"))];
        return speeds.Length <= replicas ? speeds
            : throw new TraceException($"--speeds: {Counted.Of(speeds.Length, "speed")} for {Counted.Of(replicas, "engine")}. Name at most one for each, or raise --replicas.");
    }

    private static IReadOnlyList<double> FactorsOf(string? sweep, double rate)
    {
        if (sweep is null)
        {
            return [];
        }
        if (sweep.Split(':') is not [var from, var to, var steps]
            || Number(from, "--sweep") is not (> 0 and var low) || Number(to, "--sweep") is not (> 0 and var high) || high < low
            || !int.TryParse(steps, NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count is < 2 or > 100)
        {
            throw Wrong("--sweep", sweep, "FROM:TO:STEPS with 0 < FROM <= TO and 2 to 100 steps, such as 0.5:1.5:5");
        }
        return [.. Enumerable.Range(0, count).Select(step => rate * (low + ((high - low) * step / (count - 1))))];
    }

    private static double Number(string word, string option) =>
        double.TryParse(word, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value : throw Wrong(option, word, "a number");

    private static int Within(int value, int least, int most, string option) =>
        value >= least && value <= most ? value : throw Wrong(option, value.ToString(CultureInfo.InvariantCulture), $"a number from {least} to {most}");

    private static TraceException Wrong(string option, string word, string expected) => new($"{option}: \"{word}\" is not {expected}.");

    private static void RequireWritable(ParseResult arguments, Option<string?> option, Option<string?> other)
    {
        var trace = arguments.GetValue(Trace) ?? "";
        if (arguments.GetValue(option) is { } path
            && WholeFile.Problem(path, [.. TraceSource.FilesIn(trace), arguments.GetValue(other), arguments.GetValue(Measured), arguments.GetValue(Profile), arguments.GetValue(Scenarios), arguments.GetValue(Matrix)]) is { } problem)
        {
            throw new TraceException($"{option.Name}: \"{path}\" {problem}");
        }
    }

    private static bool IsGiven(ParseResult arguments, Option option) => arguments.GetResult(option) is { Implicit: false };

    /// <summary>Such a file says itself what is run: an option that would not count is refused, not passed over.</summary>
    private static void RequireOnly(ParseResult arguments, Option mode, params ReadOnlySpan<Option> others)
    {
        foreach (var option in arguments.CommandResult.Command.Options)
        {
            if (option != mode && !others.Contains(option) && IsGiven(arguments, option))
            {
                throw new TraceException($"{option.Name}: not together with {mode.Name}, whose file says what is run.");
            }
        }
    }

    private static void RequireNone(ParseResult arguments, params ReadOnlySpan<Option> options)
    {
        foreach (var option in options)
        {
            if (IsGiven(arguments, option))
            {
                throw new TraceException($"{option.Name}: only with --matrix{(option == Quick ? " or --scenarios" : "")}.");
            }
        }
    }

    private static void Write(string? path, byte[] content)
    {
        if (path is not null)
        {
            WholeFile.Write(path, content);
        }
    }
}
