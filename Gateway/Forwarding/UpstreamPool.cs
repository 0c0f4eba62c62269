using System.Net.Http;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;
using Polly;
using Polly.Retry;

namespace Gateway.Forwarding;

/// <summary>How requests reach one pool's engines: connections, key, retry pipeline and budget. Thread-safe.</summary>
public sealed class UpstreamPool
{
    private readonly CancellationToken _shutdown;
    private readonly Func<string, string?> _environment;
    private readonly UpstreamEvents _events;

    /// <param name="pool">The replicas.</param>
    /// <param name="handler">The connections, shared by all pools.</param>
    /// <param name="options">Limits in force.</param>
    /// <param name="environment">Reads an environment variable: the engines' key stays out of the configuration.</param>
    /// <param name="events">Who hears what happens.</param>
    /// <param name="time">The clock.</param>
    /// <param name="shutdown">Ends running attempts: the gateway waits no longer.</param>
    public UpstreamPool(
        Pool pool, HttpMessageHandler handler, Func<ResilienceOptions> options, Func<string, string?> environment, UpstreamEvents events, TimeProvider time,
        CancellationToken shutdown = default)
    {
        _shutdown = shutdown;
        Time = time;
        _environment = environment;
        _events = events;
        Pool = pool;
        Handler = handler;
        Connections = new HttpMessageInvoker(handler, disposeHandler: false);
        Budget = new RetryBudget(() => (options().RetryBudgetShare, options().RetryBudgetPerSecond), time, refused => events.BudgetSpent(pool.Name, refused));
        Hedges = new RetryBudget(() => (options().Hedge.Share, 0), time);
        Retries = Pipeline(options, time);
    }

    public Pool Pool { get; }

    internal HttpMessageHandler Handler { get; }

    /// <summary>Sends over the connections of <see cref="Handler"/>.</summary>
    internal HttpMessageInvoker Connections { get; }

    internal TimeProvider Time { get; }

    internal RetryBudget Budget { get; }

    /// <summary>Second attempts beside a slow first one.</summary>
    internal RetryBudget Hedges { get; }

    internal void OnRetry(string reason) => _events.Retried(Pool.Name, reason);

    internal void OnStreamBroken(string outcome) => _events.StreamBroken(Pool.Name, outcome);

    internal void OnHedged(string outcome) => _events.Hedged(Pool.Name, outcome);

    /// <summary>Who hears the gaps between tokens of an attempt; null: nobody does.</summary>
    internal ITokenObserver? TokenObserver(InferenceRequest request, Replica replica) => _events.Tokens?.Invoke(request, Pool.Name, replica);

    /// <summary>Whether a replica that is not among these gets work.</summary>
    internal bool HasOther(IReadOnlyList<Replica> tried) => Pool.ReplicaList.Any(replica => replica.Health == ReplicaHealth.Up && !tried.Contains(replica));

    internal ResiliencePipeline<AttemptResult> Retries { get; }

    /// <summary>The key the engines ask for; null: none.</summary>
    internal string? ApiKey => Pool.Options.ApiKey(_environment);

    /// <summary>The engine's own name of the model.</summary>
    internal string UpstreamModel => Pool.Options.SentName;

    /// <summary>The splices that a request needs here.</summary>
    /// <param name="request">The request.</param>
    /// <param name="priority">Its key in the engine's scale; null: the engine takes none.</param>
    /// <param name="terms">What the caller's standing changes.</param>
    internal BodyChanges Changes(InferenceRequest request, int? priority, CallerTerms terms) => new(
        Model: UpstreamModel,
        IncludesUsage: request.Body is { IsStreaming: true, WantsStreamUsage: false },
        // The other routes have no such field: some engines refuse what they do not know.
        Priority: request.Route.Kind is ApiKind.ChatCompletions or ApiKind.Completions ? priority : null,
        RemovesTrustedOnly: terms.RemovesTrustedFields,
        CacheSalt: terms.CacheSalt);

    /// <summary>The time limits of an attempt; the total, its client's own, and the request's deadline count from its arrival. A plain answer shows no byte before its end, so only the total and the replica's signs of life bound it.</summary>
    /// <param name="outgoing">What is sent.</param>
    /// <param name="clientGone">Cancels as well.</param>
    /// <param name="replica">Where the attempt goes; null: it is not watched for signs of life, and neither is one that gets a body whose rest is still to come.</param>
    internal AttemptClock Clock(OutgoingRequest outgoing, CancellationToken clientGone, Replica? replica = null)
    {
        var (request, options) = (outgoing.Request, outgoing.Options);
        return new AttemptClock(
            request.Body.IsStreaming ? options.FirstByteTimeout : options.TotalTimeout,
            request.Body.IsStreaming ? options.StreamIdleTimeout : options.TotalTimeout,
            outgoing.TimeLeft(Time), Time, clientGone, _shutdown)
        {
            IsTotalDeadline = outgoing.EndsAtDeadline,
            // An engine has nothing to show for an upload that its client has still to finish: that silence is the client's.
            IsInVain = replica is null || outgoing.Body.Rest is not null || !(request.Body.IsStreaming || request.Route.TakesSteps)
                ? null
                : waited => replica.IsHung(waited, request.Body.IsStreaming),
        };
    }

    private static ResiliencePipeline<AttemptResult> Pipeline(Func<ResilienceOptions> options, TimeProvider time) =>
        new ResiliencePipelineBuilder<AttemptResult> { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions<AttemptResult>
            {
                // The bound that is configured may change on reload; the pipeline's own is only the last resort.
                MaxRetryAttempts = 10,
                DelayGenerator = static _ => ValueTask.FromResult<TimeSpan?>(TimeSpan.Zero),
                ShouldHandle = arguments => ValueTask.FromResult(
                    arguments.Outcome.Result is { Failure: not null, Exchange: { } exchange }
                    && arguments.AttemptNumber < Math.Min(options().MaxRetries, exchange.Request.MaxRetries ?? int.MaxValue)
                    && exchange.ShouldRetry(arguments.Outcome.Result)),
                OnRetry = static arguments =>
                {
                    arguments.Outcome.Result.Exchange.NoteRetry(arguments.Outcome.Result.Failure!);
                    return ValueTask.CompletedTask;
                },
            })
            .Build();
}
