namespace Gateway.Telemetry;

/// <summary>How a metric is kept and typed on the page.</summary>
public enum MetricKind
{
    /// <summary>Only grows; its Prometheus name ends in <c>_total</c>.</summary>
    Counter,

    /// <summary>A value at the moment of the scrape.</summary>
    Gauge,

    /// <summary>Observations in explicit buckets.</summary>
    Histogram,
}

/// <summary>One metric: an interface to dashboards and alerts, which break when it moves.</summary>
/// <param name="Instrument">Instrument name with dots, as OpenTelemetry sees it.</param>
/// <param name="Unit">UCUM unit; annotations in braces do not show in the Prometheus name.</param>
/// <param name="Kind">Counter, gauge or histogram.</param>
/// <param name="Labels">Label names, all of them.</param>
/// <param name="Help">What is measured, in one sentence or two.</param>
/// <param name="Buckets">Upper bounds of a histogram, ascending; null for other kinds.</param>
public sealed record MetricDefinition(string Instrument, string Unit, MetricKind Kind, string[] Labels, string Help, double[]? Buckets = null)
{
    /// <summary>The name of the family on the Prometheus page, such as <c>gateway_queue_wait_seconds</c>.</summary>
    public string PrometheusName => Telemetry.PrometheusName.Of(Instrument, Unit, Kind);
}

/// <summary>Every metric of the gateway: names, units, labels, buckets and help texts. Label values come from enums and configuration, never from requests.</summary>
public static class MetricNames
{
    /// <summary>The meter of counters and histograms.</summary>
    public const string Meter = "gateway";

    /// <summary>The meter of gauges that are read from live state. It is a meter of its own so that replicas which left free their places among the bounded series.</summary>
    public const string StateMeter = "gateway.state";

    /// <summary>The source of the gateway's own spans.</summary>
    public const string ActivitySource = "gateway";

    /// <summary>Label value of a model that no pool serves.</summary>
    public const string UnknownModel = "unknown";

    /// <summary>Label value that stands for all beyond a label's cap.</summary>
    public const string Overflow = "other";

    public const string Model = "model";
    public const string Route = "route";
    public const string Code = "code";
    public const string Priority = "priority";
    public const string Reason = "reason";
    public const string Replica = "replica";
    public const string Outcome = "outcome";
    public const string Policy = "policy";

    /// <summary>On requests and tokens, only where <c>telemetry.tenants</c> asks for it.</summary>
    public const string Tenant = "tenant";

    // Edges of the engines where they have them, so that the difference of two quantiles is the gateway's share, and one at each usual SLO.
    private static readonly double[] TimeToFirstTokenSeconds =
    [
        .001, .005, .01, .02, .04, .06, .08, .1, .2, .25, .3, .4, .5, .6, .75, .8, 1, 2, 2.5, 4, 5, 6, 7.5, 8, 10, 20, 40, 60, 80, 100, 160, 200, 400,
    ];

    private static readonly double[] InterTokenSeconds =
        [.001, .005, .01, .02, .04, .05, .06, .08, .1, .15, .2, .25, .3, .5, .75, 1, 2];

    private static readonly double[] DurationSeconds =
    [
        .005, .01, .025, .05, .1, .2, .3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680,
    ];

    private static readonly double[] OverheadSeconds = [.00005, .0001, .0002, .0005, .001, .002, .005, .01, .02, .05, .1];

    private static readonly double[] Tokens = [.. Enumerable.Range(0, 21).Select(power => (double)(1 << power))];

    public static readonly MetricDefinition Requests = new("gateway.requests", "{request}", MetricKind.Counter, [Model, Route, Code],
        "Requests that ended, by HTTP status; 499 when the client left first. Of the pages of operators (route ops) and of /v1/models only those that were turned away.");

    public static readonly MetricDefinition RequestDuration = new("gateway.request.duration", "s", MetricKind.Histogram, [Model, Route],
        "Arrival of a request to the end of its answer.", DurationSeconds);

    public static readonly MetricDefinition TimeToFirstToken = new("gateway.time_to_first_token", "s", MetricKind.Histogram, [Model],
        "Arrival of a streamed request to the first event with generated content, waiting included.", TimeToFirstTokenSeconds);

    public static readonly MetricDefinition InterTokenLatency = new("gateway.inter_token_latency", "s", MetricKind.Histogram, [Model],
        "Gaps between arrivals of content in a stream, pooled over all requests; tokens that arrive together are one arrival.", InterTokenSeconds);

    public static readonly MetricDefinition QueueWait = new("gateway.queue.wait", "s", MetricKind.Histogram, [Model, Priority],
        "Time a request waited for its turn, over all attempts; 0 when there was room.", DurationSeconds);

    public static readonly MetricDefinition QueueDepth = new("gateway.queue.depth", "{request}", MetricKind.Gauge, [Model, Priority],
        "Requests waiting for a replica.");

    public static readonly MetricDefinition Refusals = new("gateway.refusals", "{request}", MetricKind.Counter, [Model, Reason],
        "Requests refused for lack of room, time, replicas or rights, by error code; and those served in a lower class than they asked for.");

    public static readonly MetricDefinition Overhead = new("gateway.overhead", "s", MetricKind.Histogram, [],
        "Time the gateway itself added before a request was sent to an engine, waiting not counted.", OverheadSeconds);

    public static readonly MetricDefinition PromptTokens = new("gateway.prompt_tokens", "{token}", MetricKind.Counter, [Model],
        "Prompt tokens of answered requests, as reported by the engine, else as estimated.");

    public static readonly MetricDefinition OutputTokens = new("gateway.output_tokens", "{token}", MetricKind.Counter, [Model],
        "Output tokens, as reported by the engine, else as counted in the stream.");

    public static readonly MetricDefinition PrefixHitTokens = new("gateway.prefix_hit_tokens", "{token}", MetricKind.Counter, [Model],
        "Prompt tokens believed cached at the chosen replica.");

    public static readonly MetricDefinition EstimateErrorTokens = new("gateway.estimate_error_tokens", "{token}", MetricKind.Histogram, [Model],
        "Distance between expected and actual output tokens of whole answers, without sign.", Tokens);

    public static readonly MetricDefinition EstimateCoverage = new("gateway.estimate_coverage", "1", MetricKind.Gauge, [Model],
        "Share of the last 500 whole answers that were no longer than their estimated 0.9 quantile; 0.9 is right.");

    public static readonly MetricDefinition ReplicaUp = new("gateway.replica.up", "", MetricKind.Gauge, [Model, Replica],
        "1 while new work may be sent to the replica, else 0.");

    public static readonly MetricDefinition ReplicaInflightRequests = new("gateway.replica.inflight_requests", "{request}", MetricKind.Gauge, [Model, Replica],
        "Requests sent to the replica and not ended.");

    public static readonly MetricDefinition ReplicaReservedTokens = new("gateway.replica.reserved_tokens", "{token}", MetricKind.Gauge, [Model, Replica],
        "KV room given out by the gateway's ledger.");

    public static readonly MetricDefinition ReplicaKvCapacityTokens = new("gateway.replica.kv_capacity_tokens", "{token}", MetricKind.Gauge, [Model, Replica],
        "KV room of the replica; absent while unknown.");

    public static readonly MetricDefinition LedgerDriftTokens = new("gateway.ledger_drift_tokens", "{token}", MetricKind.Gauge, [Model, Replica],
        "Tokens in flight by the ledger minus the KV tokens the engine reports in use; absent where the engine reports none.");

    public static readonly MetricDefinition RoutingDecisions = new("gateway.routing.decisions", "{decision}", MetricKind.Counter, [Model, Reason],
        "Replicas chosen, by what decided.");

    public static readonly MetricDefinition Retries = new("gateway.retries", "{retry}", MetricKind.Counter, [Model, Reason],
        "Attempts repeated on another replica before the first byte, by what had failed.");

    public static readonly MetricDefinition StreamsContinued = new("gateway.streams_continued", "{stream}", MetricKind.Counter, [Model, Outcome],
        "Streams that broke after their first byte, by outcome: continued, restarted (from the beginning, unseen by the client), not_allowed, refused, no_budget (it broke again, and the retry budget was spent), or failed.");

    public static readonly MetricDefinition Hedges = new("gateway.hedges", "{hedge}", MetricKind.Counter, [Model, Outcome],
        "Second attempts beside a first one that was slow to begin, by outcome: won (its answer was taken), lost, or failed (neither answered).");

    public static readonly MetricDefinition Hold = new("gateway.hold", "s", MetricKind.Histogram, [Model, Reason],
        "Time a request was held before its turn, by reason: room, turn, recovery (no replica takes work yet), favourite, sibling, drain or headroom.", DurationSeconds);

    public static readonly MetricDefinition DesiredReplicas = new("gateway.desired_replicas", "{replica}", MetricKind.Gauge, [Model],
        "Replicas that the work in flight, in the queue and foreseen a minute ahead needs at 80 % of their room, for an autoscaler; falls after three minutes of less.");

    public static readonly MetricDefinition ShadowRegret = new("gateway.shadow_regret", "s", MetricKind.Gauge, [Model, Policy],
        "Mean seconds by which the last thousand answers would have ended earlier under the second policy that routing.shadow names, by forecast; negative: later.");

    public static readonly MetricDefinition SloRequests = new("gateway.slo.requests", "{request}", MetricKind.Counter, [Model, Priority, Outcome],
        "Streams with a target for their first token or for the mean time per token after it, by outcome: met (goodput: every one was kept) or missed (also when refused or failed).");

    public static readonly MetricDefinition RedisUp = new("gateway.redis.up", "", MetricKind.Gauge, [],
        "1 while exchanges with the other gateways through Redis succeed, else 0; absent without Redis.");

    public static readonly MetricDefinition RedisFailures = new("gateway.redis.failures", "{failure}", MetricKind.Counter, [],
        "Exchanges through Redis, and checks of limits, that had no answer in time; this gateway's own view decided.");

    public static readonly MetricDefinition ConfigReloads = new("gateway.config.reloads", "{reload}", MetricKind.Counter, [Outcome],
        "Changes of the configuration file that were applied or rejected.");

    /// <summary>All of them, in the order of the documentation.</summary>
    public static readonly IReadOnlyList<MetricDefinition> All =
    [
        Requests, RequestDuration, TimeToFirstToken, InterTokenLatency, SloRequests, QueueWait, QueueDepth, Refusals, Overhead, PromptTokens, OutputTokens,
        PrefixHitTokens, EstimateErrorTokens, EstimateCoverage, ReplicaUp, ReplicaInflightRequests, ReplicaReservedTokens, ReplicaKvCapacityTokens,
        RoutingDecisions, Retries, StreamsContinued, Hedges, Hold, LedgerDriftTokens, ShadowRegret, RedisUp, RedisFailures, DesiredReplicas, ConfigReloads,
    ];
}
