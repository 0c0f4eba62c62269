using System.Text.RegularExpressions;
using Gateway.Telemetry;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>Scrape targets, rules and alerts agree with compose and with the metrics. That the alerts fire and keep quiet is promtool's test.</summary>
public partial class PrometheusTests
{
    private const string Alerts = "deploy/prometheus/alerts.yml";

    public static IEnumerable<YamlNode> Rules(string file) => DeployFile.Documents(file)[0].Items("groups").SelectMany(group => group.Items("rules"));

    [Fact]
    public void Prometheus_AsShipped_ScrapesTheGatewayAndEveryEngine()
    {
        var targets = DeployFile.Documents("deploy/prometheus/prometheus.yml")[0].Items("scrape_configs")
            .SelectMany(job => job.Items("static_configs")).SelectMany(group => group.Texts("targets"));
        var gateway = "gateway:" + ComposeTests.Port(ComposeTests.Options("deploy/docker/gateway.yaml").Listen.Urls.Single());

        Assert.Equal([.. ComposeTests.EngineAddresses().Order(), gateway], targets.Order());
    }

    [Fact]
    public void Prometheus_AsShipped_FindsItsRulesInTheContainer()
    {
        var mounts = ComposeTests.Services()["prometheus"].Texts("volumes");

        Assert.All(DeployFile.Documents("deploy/prometheus/prometheus.yml")[0].Texts("rule_files"), file =>
            Assert.Contains($"./deploy/prometheus/{file}:/etc/prometheus/{file}:ro", mounts));
    }

    [Fact]
    public void Alerts_AsShipped_SayWhatHappenedWhatItMeansAndWhatToDo()
    {
        Assert.All(Rules(Alerts), rule =>
        {
            Assert.Equal(["description", "runbook", "summary"], rule.Entries("annotations").Keys.Order());
            Assert.Contains(rule.Text("labels", "severity"), new[] { "page", "ticket" });
        });
    }

    [Fact]
    public void Alerts_AsShipped_AreEachTestedFiringAndQuiet()
    {
        var tests = Directory.GetFiles(DeployFile.PathOf("deploy/prometheus"), "*.test.yml")
            .SelectMany(file => DeployFile.Documents(file)[0].Items("tests")).SelectMany(test => test.Items("promql_expr_test")).ToArray();
        var firing = tests.Where(test => test.Items("exp_samples").Count > 0).Select(AlertOf);
        var quiet = tests.Where(test => test.Items("exp_samples").Count == 0).Select(AlertOf);
        var alerts = Rules(Alerts).Select(rule => rule.Text("alert")).ToArray();

        Assert.Equal(alerts.Order(), firing.Distinct().Order());
        Assert.Equal(alerts.Order(), quiet.Distinct().Order());
    }

    [Fact]
    public void Rules_AsShipped_ReadMetricsThatExist()
    {
        var recorded = Rules("deploy/prometheus/rules.yml").Select(rule => rule.Text("record")).ToArray();
        var expressions = Rules("deploy/prometheus/rules.yml").Concat(Rules(Alerts)).Select(rule => rule.Text("expr")).ToArray();

        Assert.All(expressions, expression => Assert.Empty(UnknownMetrics(expression).Except(recorded)));
        Assert.NotEmpty(UnknownMetrics("gateway_queue_depths > 0"));
    }

    [Fact]
    public void Runbooks_AsShipped_NameSettingsThatExist()
    {
        var settings = DeployFile.Documents("config/gateway.yaml")[0];

        var named = Rules(Alerts).Select(rule => rule.Text("annotations", "runbook") + rule.Text("annotations", "description"))
            .SelectMany(text => Setting().Matches(text)).Select(match => match.Value).Distinct().ToArray();

        Assert.NotEmpty(named);
        Assert.All(named, setting => Assert.True(settings.Find(setting.Split('.')) is not null, $"{setting} is no setting"));
    }

    /// <summary>Names in an expression that look like the gateway's metrics and are none of them.</summary>
    internal static IEnumerable<string> UnknownMetrics(string expression)
    {
        var known = MetricNames.All.Concat(GenAiNames.All).SelectMany(SeriesOf).ToHashSet(StringComparer.Ordinal);
        return MetricName().Matches(Quoted().Replace(expression, "")).Select(match => match.Value).Where(name => !known.Contains(name));
    }

    private static IEnumerable<string> SeriesOf(MetricDefinition metric) => metric.Kind == MetricKind.Histogram
        ? [metric.PrometheusName + "_bucket", metric.PrometheusName + "_sum", metric.PrometheusName + "_count"]
        : [metric.PrometheusName];

    private static string AlertOf(YamlNode test) => AlertName().Match(test.Text("expr")).Groups[1].Value;

    [GeneratedRegex(@"\b(?:model:)?gateway_[a-z_0-9:]+|\bgen_ai_client_[a-z_]+")]
    private static partial Regex MetricName();

    [GeneratedRegex("\"[^\"]*\"")]
    private static partial Regex Quoted();

    [GeneratedRegex("alertname=\"(\\w+)\"")]
    private static partial Regex AlertName();

    [GeneratedRegex(@"\b(?:listen|routing|queue|estimation|resilience|telemetry)\.[a-zA-Z]+(?:\.[a-zA-Z]+)*")]
    private static partial Regex Setting();
}
