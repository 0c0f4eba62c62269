using System.Net.Http;
using Gateway.Replay.Calibration;
using Gateway.Replicas.Engines;
using Gateway.Simulation;

namespace Gateway.Cli.Calibration;

/// <summary>What a calibration ended in: a fit with remarks, or the sentence that says why there is none.</summary>
internal sealed record CalibrationResult(ProfileFit? Fit, IReadOnlyList<string> Notes, string? Problem);

/// <summary>A calibration of a live engine.</summary>
/// <param name="Url">The engine's address; a path of <c>/v1</c> is taken off.</param>
/// <param name="Model">The model; null: the only one it serves.</param>
/// <param name="ApiKey">Its key; null: none.</param>
/// <param name="Requests">Requests to spend.</param>
/// <param name="Time">Time to spend.</param>
/// <param name="Base">Lends what cannot be told.</param>
internal sealed record EngineCalibration(Uri Url, string? Model, string? ApiKey, int Requests, TimeSpan Time, EngineProfile Base)
{
    private const int PromptSeed = 20_011;

    private static readonly TimeSpan AskTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Probes the engine and fits the profile.</summary>
    /// <param name="progress">Hears what is measured next, requests used and requests in all.</param>
    /// <param name="clock">The real clock.</param>
    /// <param name="cancellationToken">The user's Ctrl-C.</param>
    public async Task<CalibrationResult> RunAsync(Action<string, int, int> progress, TimeProvider clock, CancellationToken cancellationToken)
    {
        var address = new Uri(System.Text.RegularExpressions.Regex.Replace(Url.GetLeftPart(UriPartial.Path), "/(v1/?)?$", "") + "/");
        using var handler = new SocketsHttpHandler { MaxConnectionsPerServer = 1_024, ConnectTimeout = AskTimeout, AllowAutoRedirect = false };
        using var asking = new HttpMessageInvoker(handler, disposeHandler: false);
        using var http = new HttpClient(handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        var (facts, problem) = await EngineFacts.ReadAsync(new EngineClient(asking, address, ApiKey, AskTimeout, clock), Model, cancellationToken);
        if (facts is null)
        {
            return new CalibrationResult(null, [], problem);
        }

        var known = WithFacts(facts);
        var budget = new ProbeBudget(Requests, clock);
        var client = new ProbeClient(http, address, ApiKey, facts.Model, budget, clock);
        // A seed per run: with one for ever, the engine's prefix cache would know the prompts the second time.
        var chance = new Random(unchecked(PromptSeed + (int)clock.GetUtcNow().ToUnixTimeMilliseconds()));
        var prober = new Prober(client, budget, known, chance, step => progress(step, budget.Used, budget.Requests));
        var notes = new List<string>(FactNotes(facts));
        using var expiry = new CancellationTokenSource(Time, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
        try
        {
            await prober.RunAsync(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            notes.Add(FormattableString.Invariant($"the {Time.TotalSeconds:0} s were over before the last probe; --seconds gives more."));
        }

        notes.Add(FormattableString.Invariant($"{Counted.Of(budget.Used, "request")} in {budget.Elapsed.TotalSeconds:0.0} s."));
        return Finish(prober.Findings, known, facts, client.IsPlain, notes);
    }

    private static CalibrationResult Finish(ProbeFindings findings, EngineProfile known, EngineFacts facts, bool isPlain, List<string> notes)
    {
        notes.AddRange(findings.Notes);
        if (isPlain)
        {
            notes.Add("the engine does not know ignore_eos and min_tokens: answers may have ended early.");
        }

        if (findings.Failures > 0)
        {
            notes.Add($"{Counted.Of(findings.Failures, "probe")} failed, the first because {findings.FirstFailure}.");
        }

        var limits = known with { MaxBatchedTokens = findings.MaxBatchedTokens ?? known.MaxBatchedTokens, MaxSequences = findings.MaxSequences ?? known.MaxSequences };
        if (ProfileFitter.Fit(findings.Observations, limits) is not { } fit)
        {
            return new CalibrationResult(null, notes, findings.FirstFailure is { } failure ? $"the probes failed: {failure}." : "no probe gave a span to fit; a larger budget may.");
        }

        var source = $"calibrate --url: model {facts.Model}, {Counted.Of(findings.Observations.Count, "span")}";
        return new CalibrationResult(fit with { Profile = fit.Profile with { Source = source } }, notes, null);
    }

    private EngineProfile WithFacts(EngineFacts facts) => Base with
    {
        KvBlocks = facts.KvBlocks ?? Base.KvBlocks,
        BlockTokens = facts.BlockTokens ?? Base.BlockTokens,
        MaxModelTokens = facts.ContextTokens ?? Base.MaxModelTokens,
    };

    private IEnumerable<string> FactNotes(EngineFacts facts)
    {
        yield return facts is { KvBlocks: { } blocks, BlockTokens: { } size }
            ? FormattableString.Invariant($"KV room: {blocks} blocks of {size} tokens, as /metrics says.")
            : $"KV room: /metrics does not tell it; kept from {Base.Name}.";
        yield return facts.ContextTokens is { } context
            ? FormattableString.Invariant($"context: {context} tokens, as /v1/models says.")
            : $"context: /v1/models does not tell it; kept from {Base.Name}.";
    }
}
