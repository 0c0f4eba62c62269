using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Telemetry;

/// <summary>What became of a change of the configuration file.</summary>
public enum ConfigReloadOutcome
{
    /// <summary>In force.</summary>
    Applied,

    /// <summary>Faulty; the one before stays in force.</summary>
    Rejected,
}

/// <summary>The counters and histograms, created once with their names, units and buckets. Thread-safe; recording does not allocate once a label was seen.</summary>
public sealed class GatewayMeters : IDisposable
{
    private const int MaxModels = 1_000;
    private const int MaxReasons = 64;
    private const int MaxTenants = 1_000;

    // Bounded: addresses of pods change with every rollout, and the series of a histogram are never dropped.
    private const int MaxServers = 256;

    /// <summary>The reason of a request that was served, in a less urgent class than it asked for.</summary>
    internal const string PriorityClamped = "priority_clamped";

    private static readonly string[] Statuses = [.. Enumerable.Range(0, 600).Select(code => code.ToString(CultureInfo.InvariantCulture))];

    /// <summary>Error codes that mean "no room, no time or no replica".</summary>
    private static readonly string[] RefusalReasons =
    [
        "queue_full", "queue_timeout", "deadline_exceeded", "no_healthy_replicas", "shutting_down", "preempted", "upstream_busy", "upstream_rate_limited",
    ];

    /// <summary>Error codes that mean "not for you", "not now" or "not all of it".</summary>
    private static readonly string[] AccessReasons =
    [
        "rate_limit_exceeded", "concurrency_limit_exceeded", "insufficient_quota", "invalid_api_key", "model_not_allowed", "media_not_allowed",
        "loopback_only", "cross_site", "gateway_overloaded", PriorityClamped,
    ];

    private readonly Meter _meter;
    private readonly BoundedLabel _models = new(MaxModels);
    private readonly BoundedLabel _reasons = new(MaxReasons);
    private readonly BoundedLabel _servers = new(MaxServers);
    private readonly BoundedLabel _tenants = new(MaxTenants);
    private readonly Histogram<double> _interTokenLatency;
    private readonly Histogram<double> _hold;
    private readonly Counter<long> _routingDecisions;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _streamsContinued;
    private readonly Counter<long> _hedges;
    private readonly Counter<long> _refusals;
    private readonly Counter<long> _sloRequests;
    private readonly Counter<long> _configReloads;

    /// <param name="scope">Whose meters these are: two gateways in one process do not mix when each has its own. Null: the process's.</param>
    public GatewayMeters(object? scope = null)
    {
        _meter = new Meter(new MeterOptions(MetricNames.Meter) { Scope = scope });
        Requests = Counter(MetricNames.Requests);
        RequestDuration = Histogram(MetricNames.RequestDuration);
        TimeToFirstToken = Histogram(MetricNames.TimeToFirstToken);
        QueueWait = Histogram(MetricNames.QueueWait);
        Overhead = Histogram(MetricNames.Overhead);
        PromptTokens = Counter(MetricNames.PromptTokens);
        OutputTokens = Counter(MetricNames.OutputTokens);
        PrefixHitTokens = Counter(MetricNames.PrefixHitTokens);
        EstimateErrorTokens = Histogram(MetricNames.EstimateErrorTokens);
        OperationDuration = Histogram(GenAiNames.OperationDuration);
        TimeToFirstChunk = Histogram(GenAiNames.TimeToFirstChunk);
        TimePerOutputChunk = Histogram(GenAiNames.TimePerOutputChunk);
        TokenUsage = Histogram(GenAiNames.TokenUsage);
        _interTokenLatency = Histogram(MetricNames.InterTokenLatency);
        _hold = Histogram(MetricNames.Hold);
        _routingDecisions = Counter(MetricNames.RoutingDecisions);
        _retries = Counter(MetricNames.Retries);
        _streamsContinued = Counter(MetricNames.StreamsContinued);
        _hedges = Counter(MetricNames.Hedges);
        _refusals = Counter(MetricNames.Refusals);
        _sloRequests = Counter(MetricNames.SloRequests);
        _configReloads = Counter(MetricNames.ConfigReloads);
    }

    internal Counter<long> Requests { get; }

    internal Histogram<double> RequestDuration { get; }

    internal Histogram<double> TimeToFirstToken { get; }

    internal Histogram<double> QueueWait { get; }

    internal Histogram<double> Overhead { get; }

    internal Counter<long> PromptTokens { get; }

    internal Counter<long> OutputTokens { get; }

    internal Counter<long> PrefixHitTokens { get; }

    internal Histogram<double> EstimateErrorTokens { get; }

    internal Histogram<double> OperationDuration { get; }

    internal Histogram<double> TimeToFirstChunk { get; }

    internal Histogram<double> TimePerOutputChunk { get; }

    internal Histogram<double> TokenUsage { get; }

    /// <summary>Shows the error counters of these pools as 0, so that a first error is a rise and not a new series. Call it once metrics are listened to.</summary>
    public void Prepare(IEnumerable<string> models)
    {
        foreach (var model in models)
        {
            foreach (var reason in RefusalReasons)
            {
                _refusals.Add(0, ModelTag(model), ReasonTag(reason));
            }
        }
        _configReloads.Add(0, OutcomeTag(ConfigReloadOutcome.Applied));
        _configReloads.Add(0, OutcomeTag(ConfigReloadOutcome.Rejected));
    }

    /// <summary>Shows failed calls to Redis as a counter; called once, where there is a Redis. It is not among the gauges, whose provider forgets earlier values at each collection.</summary>
    /// <param name="failures">The count since the start.</param>
    internal void ShowRedisFailures(Func<long> failures)
    {
        var metric = MetricNames.RedisFailures;
        _meter.CreateObservableCounter(metric.Instrument, failures, metric.Unit, metric.Help);
    }

    /// <summary>A gap between two content events of a stream. Called per token: does not allocate.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="seconds">The gap.</param>
    public void OnTokenGap(string model, double seconds) => _interTokenLatency.Record(seconds, ModelTag(model));

    /// <summary>The same gap, by the GenAI convention. Called per token: does not allocate.</summary>
    /// <param name="tags">From <see cref="GenAiTagsOf"/>.</param>
    /// <param name="seconds">The gap.</param>
    public void OnChunkGap(KeyValuePair<string, object?>[] tags, double seconds) => TimePerOutputChunk.Record(seconds, tags);

    /// <summary>The GenAI convention's attributes of an operation at a replica; null: the convention has no word for what the route does.</summary>
    /// <param name="kind">The route's kind.</param>
    /// <param name="model">The pool's name.</param>
    /// <param name="replica">Null where it is not known any more.</param>
    public KeyValuePair<string, object?>[]? GenAiTagsOf(ApiKind kind, string model, Replica? replica)
    {
        if (GenAiMeters.OperationOf(kind) is not { } operation)
        {
            return null;
        }
        var name = new KeyValuePair<string, object?>(GenAiNames.OperationName, operation);
        var asked = new KeyValuePair<string, object?>(GenAiNames.RequestModel, ModelTag(model).Value);
        var provider = new KeyValuePair<string, object?>(GenAiNames.ProviderName, GenAiMeters.ProviderOf(replica?.Report.Engine ?? EngineKind.Auto));
        return replica is null
            ? [name, asked, provider]
            : [name, asked, provider, new(GenAiNames.ServerAddress, _servers.Of(replica.Address.Host)), new(GenAiNames.ServerPort, replica.Address.Port)];
    }

    /// <summary>A replica was chosen.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="reason">What decided.</param>
    public void OnRoutingDecision(string model, PlacementReason reason) => _routingDecisions.Add(1, ModelTag(model), new(MetricNames.Reason, WordOf(reason)));

    /// <summary>A request's wait for a turn ended, with a replica or without.</summary>
    public void OnAdmission(string model, AdmissionResult admission)
    {
        if (admission.Outcome == AdmissionOutcome.Admitted)
        {
            OnRoutingDecision(model, admission.Reason);
        }
        if (admission.HeldFor != HoldReason.None)
        {
            OnHold(model, WordOf(admission.HeldFor), admission.Waited);
        }
    }

    /// <summary>A request that had targets ended. Both outcomes show from the first one on, so that their share can be told.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="priority">Its class.</param>
    /// <param name="hasMet">Whether it met all of them.</param>
    public void OnTargets(string model, PriorityClass priority, bool hasMet)
    {
        _sloRequests.Add(hasMet ? 1 : 0, ModelTag(model), new(MetricNames.Priority, priority.Word()), new(MetricNames.Outcome, "met"));
        _sloRequests.Add(hasMet ? 0 : 1, ModelTag(model), new(MetricNames.Priority, priority.Word()), new(MetricNames.Outcome, "missed"));
    }

    /// <summary>An attempt is repeated elsewhere.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="reason">What had failed, one of a few words of Forwarding.</param>
    public void OnRetry(string model, string reason) => _retries.Add(1, ModelTag(model), ReasonTag(reason));

    /// <summary>A stream broke after its first byte.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="outcome">What became of it, one of a few words of Forwarding.</param>
    public void OnStreamBroken(string model, string outcome) => _streamsContinued.Add(1, ModelTag(model), new(MetricNames.Outcome, outcome));

    /// <summary>A hedge came to its end.</summary>
    /// <param name="model">The pool's name.</param>
    /// <param name="outcome">What became of it, one of a few words of Forwarding.</param>
    public void OnHedged(string model, string outcome) => _hedges.Add(1, ModelTag(model), new(MetricNames.Outcome, outcome));

    /// <summary>A request was held for a named reason, and the hold is over.</summary>
    public void OnHold(string model, string reason, TimeSpan held) => _hold.Record(held.TotalSeconds, ModelTag(model), ReasonTag(reason));

    /// <summary>Somebody was turned away at a path that serves no model.</summary>
    /// <param name="route">Which kind of path: one of a few words.</param>
    /// <param name="status">The answer's status.</param>
    /// <param name="code">The error's code.</param>
    public void OnTurnedAway(string route, int status, string? code)
    {
        Requests.Add(1, ModelTag(null), new(MetricNames.Route, route), CodeTag(status));
        OnRefusal(null, code);
    }

    /// <summary>A changed configuration was read.</summary>
    public void OnConfigReload(ConfigReloadOutcome outcome) => _configReloads.Add(1, OutcomeTag(outcome));

    public void Dispose() => _meter.Dispose();

    /// <param name="model">The pool's name; null: unknown.</param>
    /// <param name="code">The error's code. An engine's own code is counted as "other": engines may say anything.</param>
    internal void OnRefusal(string? model, string? code) =>
        _refusals.Add(1, ModelTag(model), new(MetricNames.Reason, code is not null && IsRefusal(code) ? code : MetricNames.Overflow));

    internal static bool IsRefusal(string code) => RefusalReasons.Contains(code) || AccessReasons.Contains(code);

    internal KeyValuePair<string, object?> ModelTag(string? model) =>
        new(MetricNames.Model, model is null ? MetricNames.UnknownModel : _models.Of(model));

    /// <summary>Adds the tenant to a request's tags, where it may be shown.</summary>
    internal void Tag(ref TagList tags, string? tenant)
    {
        if (tenant is not null)
        {
            tags.Add(MetricNames.Tenant, _tenants.Of(tenant));
        }
    }

    private KeyValuePair<string, object?> ReasonTag(string reason) => new(MetricNames.Reason, _reasons.Of(reason));

    internal static KeyValuePair<string, object?> CodeTag(int status) => new(MetricNames.Code, StatusWord(status));

    /// <summary>A status as a label value; anything that is none counts as "other".</summary>
    internal static string StatusWord(int status) => status is >= 100 and < 600 ? Statuses[status] : MetricNames.Overflow;

    internal static string WordOf(PlacementReason reason) => reason switch
    {
        PlacementReason.OnlyChoice => "only_choice",
        PlacementReason.Prefix => "prefix",
        PlacementReason.Copy => "copy",
        PlacementReason.Session => "session",
        PlacementReason.LeastLoad => "least_load",
        _ => MetricNames.Overflow,
    };

    internal static string WordOf(HoldReason reason) => reason switch
    {
        HoldReason.Room => "room",
        HoldReason.Turn => "turn",
        HoldReason.Recovery => "recovery",
        HoldReason.Favourite => "favourite",
        HoldReason.Drain => "drain",
        HoldReason.Headroom => "headroom",
        HoldReason.Sibling => "sibling",
        _ => MetricNames.Overflow,
    };

    private static KeyValuePair<string, object?> OutcomeTag(ConfigReloadOutcome outcome) =>
        new(MetricNames.Outcome, outcome == ConfigReloadOutcome.Applied ? "applied" : "rejected");

    private Counter<long> Counter(MetricDefinition metric) => _meter.CreateCounter<long>(metric.Instrument, metric.Unit, metric.Help);

    private Histogram<double> Histogram(MetricDefinition metric) => _meter.CreateHistogram<double>(
        metric.Instrument, metric.Unit, metric.Help, tags: null, new InstrumentAdvice<double> { HistogramBucketBoundaries = metric.Buckets! });
}
