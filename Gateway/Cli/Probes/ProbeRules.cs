using System.Globalization;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Adapters;

namespace Gateway.Cli.Probes;

/// <summary>From what an engine answered to what is wrong with it, and what mends it. Pure.</summary>
internal static class ProbeRules
{
    /// <summary>Difference of two clocks, in seconds, that makes logs hard to read together.</summary>
    public const double MaxClockSkewSeconds = 3;

    /// <summary>The Date header has whole seconds, and the answer was under way: a smaller difference says nothing.</summary>
    public const double SameClockSeconds = 2;

    private const int MaxListed = 3;

    public static IEnumerable<ProbeFinding> Of(ProbedReplica probed)
    {
        if (!probed.Answers)
        {
            return [Unreachable(probed)];
        }
        var findings = new[] { Engine(probed), Model(probed), Metrics(probed), PrefixCache(probed), Room(probed), Priority(probed), Context(probed), Clock(probed) };
        return findings.OfType<ProbeFinding>();
    }

    /// <summary>Whether the model is there; null: the engine does not tell, or takes any name.</summary>
    public static bool? Serves(ProbedReplica probed) =>
        probed.Facts is not { Outcome: ReadingOutcome.Read, Report.Models: { Count: > 0 } models } || Check(probed) == ModelCheck.None ? null
        : models.Contains(probed.Model.SentName);

    private static ProbeFinding Unreachable(ProbedReplica probed) => probed.Health switch
    {
        { Outcome: ReadingOutcome.Unauthorized } when probed.HasKey => new(true, $"it refuses the key: {probed.Health.Detail}", $"Put its key into the variable that apiKeyEnv names ({probed.Model.ApiKeyEnv})."),
        { Outcome: ReadingOutcome.Unauthorized } => new(true, $"it wants a key: {probed.Health.Detail}", "Name the variable that holds it in apiKeyEnv."),
        { Outcome: ReadingOutcome.Slow } => new(true, probed.Health.Detail, "Busy, hung, or a firewall drops the packets: look at the engine, then at the network."),
        { Outcome: ReadingOutcome.Absent } => new(true, $"no engine of this kind answers: {probed.Health.Detail}", $"Correct its url, or engine: {EnumWords.Of(probed.Kind)}."),
        _ => new(true, $"it cannot be used: {probed.Health.Detail}", "Start the engine, or correct its url."),
    };

    private static ProbeFinding? Engine(ProbedReplica probed) =>
        probed.Kind != probed.Detected && probed.Detected != EngineKind.OpenAi
            ? new(true, $"engine is {EnumWords.Of(probed.Kind)}, but {EnumWords.Of(probed.Detected)} answers", $"Write engine: {EnumWords.Of(probed.Detected)}, or leave it out.")
            : null;

    private static ProbeFinding? Model(ProbedReplica probed)
    {
        if (probed.Facts is { Outcome: not ReadingOutcome.Read } facts)
        {
            return facts.Outcome == ReadingOutcome.Unauthorized
                ? new(probed.HasKey, $"its models are not known: {facts.Detail}", probed.HasKey ? $"Put its key into the variable that apiKeyEnv names ({probed.Model.ApiKeyEnv})." : "Name its key's variable in apiKeyEnv; without, clients must bring the key.")
                : new(true, $"its models are not known: {facts.Detail}", "Correct its url, or engine.");
        }
        if (Serves(probed) != false)
        {
            return null;
        }
        var (wanted, served) = (probed.Model.SentName, probed.Facts!.Report.Models);
        var listed = string.Join(", ", served.Take(MaxListed)) + (served.Count > MaxListed ? ", ..." : "");
        var meant = ReplicaWatcher.NamesOf(probed.Model).FirstOrDefault(served.Contains) ?? served[0];
        var fix = meant == probed.Model.Name ? "Leave upstreamModel out" : $"Write upstreamModel: {meant}";
        return new(Check(probed) == ModelCheck.Strict, $"it serves {listed}, not {wanted}", $"{fix}, or correct the url.");
    }

    // With its slots written down a replica is never sent more than it can run, metrics or not.
    private static ProbeFinding? Metrics(ProbedReplica probed) =>
        probed.Load is { Outcome: not ReadingOutcome.Read } load && Switch(probed.Kind) is { } remedy
            ? new(probed.Options.Slots is null, $"its metrics cannot be read: {load.Detail}", $"{remedy}, or say what it can run: slots, kvTokens.")
            : null;

    private static string? Switch(EngineKind kind) => kind switch
    {
        EngineKind.Vllm => "Start it without --disable-log-stats",
        EngineKind.SgLang => "Start it with --enable-metrics",
        EngineKind.LlamaCpp => "Start it with --metrics --slots",
        EngineKind.Tgi or EngineKind.TensorRtLlm or EngineKind.LmDeploy => "Let the gateway reach its metrics",
        _ => null,
    };

    private static ProbeFinding? PrefixCache(ProbedReplica probed) => (probed.Load?.Report.CachesPrefixes ?? probed.Facts?.Report.CachesPrefixes) == false
        ? new(false, "its prefix cache is off: it computes every prompt whole", $"Start it {(probed.Kind == EngineKind.SgLang ? "without --disable-radix-cache" : "with --enable-prefix-caching")}, unless its prompts have no beginnings in common.")
        : null;

    private static ProbeFinding? Room(ProbedReplica probed) =>
        probed is { Kind: EngineKind.Ollama or EngineKind.OpenAi, Options.Slots: null }
            ? new(false, "it does not tell how many requests it runs at once", probed.Kind == EngineKind.Ollama ? "Set slots to OLLAMA_NUM_PARALLEL; until then it gets one request at a time." : "Set slots, or nothing is held in front of it until a limit is learned.")
            : null;

    private static ProbeFinding? Priority(ProbedReplica probed)
    {
        var (wanted, told) = (probed.Model.EnginePriority, probed.Facts?.Report.Priority ?? EnginePriority.Auto);
        var isWanted = wanted is EnginePriority.LowerFirst or EnginePriority.HigherFirst;
        return told switch
        {
            EnginePriority.Auto when isWanted => new(false, $"enginePriority is {EnumWords.Of(wanted)}, and the engine does not tell how it schedules", "Make sure that it runs with --scheduling-policy priority."),
            EnginePriority.Off when isWanted => new(true, $"enginePriority is {EnumWords.Of(wanted)}, but it schedules by arrival", "Start it with --enable-priority-scheduling, or write enginePriority: auto."),
            EnginePriority.LowerFirst or EnginePriority.HigherFirst when isWanted && told != wanted => new(true, $"enginePriority is {EnumWords.Of(wanted)}, but it takes {EnumWords.Of(told)}", "Write enginePriority: auto."),
            _ => null,
        };
    }

    private static ProbeFinding? Context(ProbedReplica probed) => (probed.Model.ContextTokens, probed.Facts?.Report.ContextTokens) switch
    {
        ({ } written, { } told) when written > told => new(true, string.Create(CultureInfo.InvariantCulture, $"contextTokens is {written}, but its context is {told}"), string.Create(CultureInfo.InvariantCulture, $"Write contextTokens: {told}, or leave it out.")),
        (null, null) when probed.Kind is EngineKind.LlamaCpp or EngineKind.Ollama => new(false, "its context is not known, and it cuts a longer prompt without a word", "Set contextTokens."),
        _ => null,
    };

    private static ProbeFinding? Clock(ProbedReplica probed) => Math.Abs(probed.ClockSkewSeconds ?? 0) > MaxClockSkewSeconds
        ? new(false, string.Create(CultureInfo.InvariantCulture, $"its clock is {Math.Abs(probed.ClockSkewSeconds!.Value):0} s {(probed.ClockSkewSeconds > 0 ? "ahead" : "behind")}"), "Let both machines follow a time server, or their logs tell different stories.")
        : null;

    private static ModelCheck Check(ProbedReplica probed) => EngineAdapters.Of(probed.Kind).Traits.ModelCheck;
}
