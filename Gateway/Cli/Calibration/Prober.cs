using Gateway.Replay.Calibration;
using Gateway.Simulation;

namespace Gateway.Cli.Calibration;

/// <summary>What the probes found.</summary>
internal sealed class ProbeFindings
{
    public List<StepObservation> Observations { get; } = [];

    /// <summary>Sentences for the report: what was found besides the spans, and what was not.</summary>
    public List<string> Notes { get; } = [];

    public int? MaxBatchedTokens { get; set; }

    public int? MaxSequences { get; set; }

    /// <summary>Probes that failed, and the first reason.</summary>
    public int Failures { get; set; }

    public string? FirstFailure { get; set; }
}

/// <summary>Measures a live engine within a budget; one probe or one group of simultaneous probes at a time. Used once.</summary>
internal sealed class Prober
{
    private const int Repeats = 3;
    private const int WarmUpTokens = 200;
    private const int LongGuestTokens = 9_000;
    private const int SettleTokens = 12;
    private const double MostKvShare = 0.8;
    private const int MostConcurrent = 64;

    private static readonly int[] PrefillTokens = [16, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_000];
    private static readonly int[] GuestTokens = [48, 256, 1_024];

    // Few and short first: what the most constants hang on is measured while there is budget.
    private static readonly (int Streams, int Tokens)[] Groups = [(1, 64), (8, 64), (8, 1_024), (24, 1_024), (32, 64), (4, 4_000)];

    private readonly ProbeClient _client;
    private readonly ProbeBudget _budget;
    private readonly PromptMaker _prompts;
    private readonly EngineProfile _known;
    private readonly Action<string> _report;

    /// <param name="client">Sends the probes.</param>
    /// <param name="budget">What may be spent.</param>
    /// <param name="known">The base profile with the limits that the engine tells.</param>
    /// <param name="chance">Makes the prompts.</param>
    /// <param name="report">Hears what is measured next.</param>
    public Prober(ProbeClient client, ProbeBudget budget, EngineProfile known, Random chance, Action<string> report)
    {
        _client = client;
        _budget = budget;
        _known = known;
        _prompts = new PromptMaker(chance);
        _report = report;
    }

    /// <summary>What was found so far: valid when the budget's time cut the run short, too.</summary>
    public ProbeFindings Findings { get; } = new();

    private int MaxBatchedTokens => Findings.MaxBatchedTokens ?? _known.MaxBatchedTokens;

    /// <summary>Measures until the plan or the requests are at their end; cancel it when the time is. With a failure and no observation the engine refused.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        _report("warming up");
        if (!await WarmUpAsync(cancellationToken))
        {
            return;
        }

        await MeasureTokenBudgetAsync(cancellationToken);
        foreach (var tokens in PrefillTokens.Where(FitsContext))
        {
            await MeasurePrefillAsync(tokens, cancellationToken);
        }

        foreach (var (streams, tokens) in Groups)
        {
            await MeasureGroupAsync(streams, tokens, cancellationToken);
        }

        await MeasurePrefixCacheAsync(cancellationToken);
        await MeasureConcurrencyAsync(cancellationToken);
    }

    private async Task<bool> WarmUpAsync(CancellationToken cancellationToken)
    {
        for (var round = 0; round < 2; round++)
        {
            if (await OneAsync(WarmUpTokens, 2, cancellationToken) is not { } timing)
            {
                return false;
            }

            _prompts.Learn(WarmUpTokens, timing.PromptTokens);
        }

        return true;
    }

    private async Task MeasureTokenBudgetAsync(CancellationToken cancellationToken)
    {
        var tokens = (int)Math.Min(LongGuestTokens, Math.Min(_known.MaxModelTokens / 2, MostKvShare * _known.KvTokens));
        if (tokens < 1_024 || !_budget.TryTake(2))
        {
            Findings.Notes.Add("tokens per step: not measured, since no prompt is long enough; kept.");
            return;
        }

        _report("tokens per step");
        var answer = Start(WarmUpTokens, 96, cancellationToken);
        await answer.Stream.TokensAsync(SettleTokens);
        var guest = Start(tokens, 1, cancellationToken);
        var timings = await EndAsync([answer, guest]);
        Findings.MaxBatchedTokens = timings is [{ } own, { } other] ? StreamObservations.TokenBudget(own, other) : null;
        Findings.Notes.Add(Findings.MaxBatchedTokens is { } found
            ? $"tokens per step: {found}, by the steps that a prompt of {tokens} tokens took."
            : $"tokens per step: a prompt of {tokens} tokens was not cut; kept.");
    }

    private async Task MeasurePrefillAsync(int tokens, CancellationToken cancellationToken)
    {
        _report($"prefill of {tokens} tokens");
        var timings = new List<StreamTiming>();
        for (var repeat = 0; repeat < Repeats; repeat++)
        {
            if (await OneAsync(tokens, 1, cancellationToken) is { } timing)
            {
                timings.Add(timing);
            }
        }

        if (StreamObservations.Prefill(timings, MaxBatchedTokens) is { } observation)
        {
            Findings.Observations.Add(observation);
        }
    }

    private async Task MeasureGroupAsync(int count, int tokens, CancellationToken cancellationToken)
    {
        var guests = GuestTokens.Where(guest => guest + count < MaxBatchedTokens && FitsContext(guest)).ToArray();
        var output = (count * tokens / MaxBatchedTokens) + 32 + (20 * guests.Length);
        if (!FitsContext(tokens + output) || count * (tokens + output) > MostKvShare * _known.KvTokens || count > _known.MaxSequences || !_budget.TryTake(count + guests.Length))
        {
            return;
        }

        _report($"{Counted.Of(count, "answer")} at {tokens} tokens");
        var streams = Enumerable.Range(0, count).Select(_ => Start(tokens, output, cancellationToken)).ToArray();
        await Task.WhenAll(streams.Select(each => each.Stream.TokensAsync(1)));
        var visits = new List<Probe>();
        foreach (var guest in guests)
        {
            var last = streams.MinBy(each => each.Stream.TokenCount)!.Stream;
            await last.TokensAsync(last.TokenCount + SettleTokens);
            var visit = Start(guest, 1, cancellationToken);
            visits.Add(visit);
            await visit.Stream.TokensAsync(1);
        }

        var timings = await EndAsync(streams);
        var visited = await EndAsync(visits);
        if (timings.Count == count)
        {
            Findings.Observations.AddRange(StreamObservations.Together(timings, visited, MaxBatchedTokens));
        }
    }

    private async Task MeasurePrefixCacheAsync(CancellationToken cancellationToken)
    {
        var tokens = Math.Min(2_000, _known.MaxModelTokens / 2);
        if (!_budget.TryTake(2))
        {
            return;
        }

        _report("prefix cache");
        var prompt = _prompts.Make(tokens);
        var first = await EndAsync([StartWith(prompt, tokens, 1, cancellationToken)]);
        var second = await EndAsync([StartWith(prompt, tokens, 1, cancellationToken)]);
        if (first is [var cold] && second is [var warm])
        {
            var verdict = warm.CachedTokens > 0 || warm.TimeToFirstToken < 0.7 * cold.TimeToFirstToken ? "works" : "no effect seen";
            Findings.Notes.Add(FormattableString.Invariant($"prefix cache: {verdict}; the same {cold.PromptTokens} tokens took {cold.TimeToFirstToken:0} ms, then {warm.TimeToFirstToken:0} ms."));
        }
    }

    private async Task MeasureConcurrencyAsync(CancellationToken cancellationToken)
    {
        var count = Math.Min(MostConcurrent, _budget.Left);
        if (count < 4 || !_budget.TryTake(count))
        {
            return;
        }

        _report($"{count} answers at once");
        var timings = await EndAsync(Enumerable.Range(0, count).Select(_ => Start(16, 32, cancellationToken)).ToArray());
        if (timings.Count < count)
        {
            return;
        }

        var (running, isLimited) = StreamObservations.Concurrency(timings);
        if (isLimited)
        {
            Findings.MaxSequences = running;
        }
        else
        {
            Findings.Notes.Add($"sequences at once: {running} ran together; the limit lies above, kept.");
            Findings.Observations.AddRange(StreamObservations.Together(timings, [], MaxBatchedTokens));
        }
    }

    private bool FitsContext(int tokens) => tokens + 8 <= _known.MaxModelTokens && tokens <= MostKvShare * _known.KvTokens;

    private async Task<StreamTiming?> OneAsync(int tokens, int output, CancellationToken cancellationToken) =>
        _budget.TryTake(1) && await EndAsync([Start(tokens, output, cancellationToken)]) is [var timing] ? timing : null;

    private Probe Start(int tokens, int output, CancellationToken cancellationToken) => StartWith(_prompts.Make(tokens), tokens, output, cancellationToken);

    private Probe StartWith(string prompt, int tokens, int output, CancellationToken cancellationToken)
    {
        var stream = new ProbeStream();
        return new Probe(stream, tokens, Task.Run(() => _client.RunAsync(stream, prompt, output, cancellationToken), CancellationToken.None));
    }

    /// <summary>Waits for the ends; what failed is counted and left out.</summary>
    private async Task<List<StreamTiming>> EndAsync(IReadOnlyList<Probe> probes)
    {
        await Task.WhenAll(probes.Select(probe => probe.Run));
        var timings = new List<StreamTiming>();
        foreach (var probe in probes)
        {
            if (probe.Stream.ToTiming(probe.PromptTokens) is { } timing)
            {
                timings.Add(timing);
                continue;
            }

            Findings.Failures++;
            Findings.FirstFailure ??= probe.Stream.Problem ?? "an answer had no token";
        }

        return timings;
    }

    private sealed record Probe(ProbeStream Stream, int PromptTokens, Task Run);
}
