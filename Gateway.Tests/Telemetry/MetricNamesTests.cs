using System.Text.RegularExpressions;
using Gateway.Configuration;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Routing;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Telemetry;

public sealed partial class MetricNamesTests
{
    /// <summary>The interface to dashboards: name, labels and type of every metric, as documented.</summary>
    public static readonly TheoryData<string, string, string> Documented = new()
    {
        { "gateway_requests_total", "code,model,route", "counter" },
        { "gateway_request_duration_seconds", "model,route", "histogram" },
        { "gateway_time_to_first_token_seconds", "model", "histogram" },
        { "gateway_inter_token_latency_seconds", "model", "histogram" },
        { "gateway_slo_requests_total", "model,outcome,priority", "counter" },
        { "gateway_queue_wait_seconds", "model,priority", "histogram" },
        { "gateway_queue_depth", "model,priority", "gauge" },
        { "gateway_refusals_total", "model,reason", "counter" },
        { "gateway_overhead_seconds", "", "histogram" },
        { "gateway_prompt_tokens_total", "model", "counter" },
        { "gateway_output_tokens_total", "model", "counter" },
        { "gateway_prefix_hit_tokens_total", "model", "counter" },
        { "gateway_estimate_error_tokens", "model", "histogram" },
        { "gateway_estimate_coverage_ratio", "model", "gauge" },
        { "gateway_replica_up", "model,replica", "gauge" },
        { "gateway_replica_inflight_requests", "model,replica", "gauge" },
        { "gateway_replica_reserved_tokens", "model,replica", "gauge" },
        { "gateway_replica_kv_capacity_tokens", "model,replica", "gauge" },
        { "gateway_routing_decisions_total", "model,reason", "counter" },
        { "gateway_retries_total", "model,reason", "counter" },
        { "gateway_streams_continued_total", "model,outcome", "counter" },
        { "gateway_hedges_total", "model,outcome", "counter" },
        { "gateway_hold_seconds", "model,reason", "histogram" },
        { "gateway_ledger_drift_tokens", "model,replica", "gauge" },
        { "gateway_shadow_regret_seconds", "model,policy", "gauge" },
        { "gateway_redis_up", "", "gauge" },
        { "gateway_redis_failures_total", "", "counter" },
        { "gateway_desired_replicas", "model", "gauge" },
        { "gateway_config_reloads_total", "outcome", "counter" },
    };

    [Theory]
    [MemberData(nameof(Documented))]
    public async Task Scrape_AfterEverythingHappened_ShowsTheMetricWithItsTypeAndLabels(string name, string labels, string type)
    {
        using var world = EventfulWorld();

        var page = await world.ScrapeAsync();

        Assert.Contains($"# TYPE {name} {type}\n", page, StringComparison.Ordinal);
        var sample = type == "histogram" ? name + "_count" : name;
        var series = page.Split('\n').Where(line => line.StartsWith(sample + "{", StringComparison.Ordinal) || line.StartsWith(sample + " ", StringComparison.Ordinal)).ToList();
        Assert.NotEmpty(series);
        Assert.All(series, line => Assert.Equal(labels, string.Join(',', LabelName().Matches(line).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal))));
    }

    [Fact]
    public async Task Scrape_AfterEverythingHappened_ShowsNoGatewayMetricThatIsNotDocumented()
    {
        using var world = EventfulWorld();

        var page = await world.ScrapeAsync();

        var shown = TypeLine().Matches(page).Select(match => match.Groups[1].Value);
        Assert.Equal(Documented.Select(row => (string)row[0]).Order(StringComparer.Ordinal), shown.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void All_TheDefinitions_AgreeWithTheDocumentation()
    {
        var defined = MetricNames.All.Select(metric =>
            (metric.PrometheusName, string.Join(',', metric.Labels.Order(StringComparer.Ordinal)), metric.Kind.ToString().ToLowerInvariant()));

        var documented = Documented.Select(row => ((string)row[0], (string)row[1], (string)row[2]));

        Assert.Equal(documented.Order(), defined.Order());
    }

    [Fact]
    public void All_Histograms_HaveAscendingBucketsAndAnEdgeAtUsualObjectives()
    {
        Assert.All(MetricNames.All.Concat(GenAiNames.All), metric =>
        {
            Assert.Equal(metric.Kind == MetricKind.Histogram, metric.Buckets is not null);
            Assert.Equal(metric.Buckets?.Distinct().Order(), metric.Buckets);
            Assert.NotEmpty(metric.Help);
        });
        Assert.Superset(new HashSet<double> { .2, .3, .5, .6, 2 }, new HashSet<double>(MetricNames.TimeToFirstToken.Buckets!));
        Assert.Superset(new HashSet<double> { .05, .1, .15, .2 }, new HashSet<double>(MetricNames.InterTokenLatency.Buckets!));
        Assert.Superset(new HashSet<double> { 2, 30 }, new HashSet<double>(MetricNames.RequestDuration.Buckets!));
        Assert.Equal(1_048_576, MetricNames.EstimateErrorTokens.Buckets![^1]);
    }

    [Theory]
    [InlineData("gen_ai.client.operation.duration", "s")]
    [InlineData("gen_ai.client.operation.time_to_first_chunk", "s")]
    [InlineData("gen_ai.client.operation.time_per_output_chunk", "s")]
    [InlineData("gen_ai.client.token.usage", "{token}")]
    public void GenAiNames_All_AreTheConventions(string instrument, string unit) =>
        Assert.Contains(GenAiNames.All, metric => metric.Instrument == instrument && metric.Unit == unit);

    private static Shadow ServedShadow()
    {
        var time = new ManualTime();
        var options = new GatewayOptions { Models = [new() { Name = "m" }], Routing = new RoutingOptions { Shadow = new ShadowOptions { Policy = "random" } } };
        var model = GatewayCore.Create(options, time, new Random(1), hashKey: 1).Find("m")!;
        model.Pool.SetReplicas([CorePool.Place(0)]);
        model.Pool.ReplicaList[0].OnProbed(ReplicaHealth.Up);
        model.OnArrived(CorePool.Request(), CorePool.Cost())!.Dispose();
        time.Advance(TimeSpan.FromMinutes(1));
        return model.Shadow!;
    }

    internal static TelemetryWorld EventfulWorld()
    {
        var world = new TelemetryWorld { Shadow = ServedShadow() };
        world.Pool.Find("a")!.Observe(new EngineReport { KvCapacityTokens = 10_000, KvUsage = 0.05 });
        world.Meters.Prepare([TelemetryWorld.Model]);
        world.Requests.OnCompleted(TelemetryWorld.Completed());
        world.Requests.OnCompleted(TelemetryWorld.Refused("queue_full", 429));
        world.Requests.OnCompleted(TelemetryWorld.Completed() with { Outcome = RequestOutcome.Failed, ErrorCode = "upstream_error", StatusCode = 502 });
        world.Meters.OnTokenGap(TelemetryWorld.Model, 0.02);
        world.Meters.OnTargets(TelemetryWorld.Model, PriorityClass.Interactive, hasMet: true);
        world.Meters.OnRoutingDecision(TelemetryWorld.Model, PlacementReason.Prefix);
        world.Meters.OnRetry(TelemetryWorld.Model, "unreachable");
        world.Meters.OnStreamBroken(TelemetryWorld.Model, "continued");
        world.Meters.OnHedged(TelemetryWorld.Model, "won");
        world.Meters.OnHold(TelemetryWorld.Model, "kv_room", TimeSpan.FromSeconds(0.5));
        world.Meters.OnConfigReload(ConfigReloadOutcome.Rejected);
        return world;
    }

    [GeneratedRegex("([a-z_]+)=\"")]
    private static partial Regex LabelName();

    [GeneratedRegex("^# TYPE (gateway_[a-z_]+) ", RegexOptions.Multiline)]
    private static partial Regex TypeLine();
}
