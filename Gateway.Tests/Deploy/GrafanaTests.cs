using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Telemetry;

namespace Gateway.Tests.Deploy;

/// <summary>The dashboards fit the metrics and each other. That every panel has data is tested by Gateway.Tests/Clients/panels.mjs, Grafana's own types by schemas.mjs.</summary>
public partial class GrafanaTests
{
    private const string Folder = "deploy/grafana/dashboards";

    private static readonly string[] Expected = ["estimator", "latency", "overview", "process", "queue", "replicas"];

    public static TheoryData<string> Dashboards() => [.. Names()];

    [Fact]
    public void Dashboards_AsShipped_AreAllThereUnderTheirOwnNames()
    {
        Assert.Equal(Expected, Names());
        Assert.All(Expected, name => Assert.Equal("gateway-" + name, Read(name).GetProperty("uid").GetString()));
    }

    [Theory]
    [MemberData(nameof(Dashboards))]
    public void Panels_OfADashboard_ReadMetricsThatExist(string name)
    {
        var queries = Panels(name).SelectMany(panel => panel.GetProperty("targets").EnumerateArray()).Select(target => target.GetProperty("expr").GetString()!).ToArray();

        Assert.NotEmpty(queries);
        Assert.All(queries, query => Assert.Empty(PrometheusTests.UnknownMetrics(query)));
    }

    [Theory]
    [MemberData(nameof(Dashboards))]
    public void Panels_OfADashboard_SayWhatTheyShowAndInWhichUnit(string name)
    {
        Assert.All(Panels(name), panel =>
        {
            var title = panel.GetProperty("title").GetString()!;
            Assert.True(panel.GetProperty("description").GetString()!.EndsWith('.'), $"{title} has no description");
            Assert.True(Unit(panel) is { Length: > 0 }, $"{title} has no unit");
        });
    }

    [Theory]
    [MemberData(nameof(Dashboards))]
    public void Panels_OfADashboard_HavePlacesAndNumbersOfTheirOwn(string name)
    {
        var panels = Read(name).GetProperty("panels").EnumerateArray().ToArray();
        var cells = panels.Select(panel => panel.GetProperty("gridPos")).SelectMany(at =>
            from x in Enumerable.Range(at.GetProperty("x").GetInt32(), at.GetProperty("w").GetInt32())
            from y in Enumerable.Range(at.GetProperty("y").GetInt32(), at.GetProperty("h").GetInt32())
            select (x, y)).ToArray();

        Assert.Equal(panels.Length, panels.Select(panel => panel.GetProperty("id").GetInt32()).Distinct().Count());
        Assert.Equal(cells.Length, cells.Distinct().Count());
        Assert.All(cells, cell => Assert.InRange(cell.x, 0, 23));
    }

    [Theory]
    [MemberData(nameof(Dashboards))]
    public void Panels_OfADashboard_AskTheChosenDataSourceWithVariablesThatExist(string name)
    {
        var dashboard = Read(name);
        var variables = dashboard.GetProperty("templating").GetProperty("list").EnumerateArray().Select(variable => variable.GetProperty("name").GetString()!).ToArray();
        var used = Variable().Matches(dashboard.GetRawText()).Select(match => match.Groups[1].Value).Where(word => !word.StartsWith("__", StringComparison.Ordinal)).Distinct();

        Assert.Equal(variables.Order(), used.Order());
        Assert.All(Panels(name), panel => Assert.Equal("${datasource}", panel.GetProperty("datasource").GetProperty("uid").GetString()));
    }

    [Fact]
    public void ServiceLevels_ToChooseFrom_AreEdgesOfTheHistograms()
    {
        Assert.All(Choices("overview", "ttft_slo"), seconds => Assert.Contains(seconds, MetricNames.TimeToFirstToken.Buckets!));
        Assert.All(Choices("overview", "itl_slo"), seconds => Assert.Contains(seconds, MetricNames.InterTokenLatency.Buckets!));
    }

    [Fact]
    public void Provisioning_AsShipped_FindsDashboardsAndPrometheusInCompose()
    {
        var provider = DeployFile.Documents("deploy/grafana/provisioning/dashboards/gateway.yml")[0];
        var source = DeployFile.Documents("deploy/grafana/provisioning/datasources/prometheus.yml")[0].Items("datasources").Single();
        var grafana = ComposeTests.Services()["grafana"];
        var port = ComposeTests.Services()["prometheus"].Texts("ports").Single().Split(':')[^1];

        Assert.Contains($"./{Folder}:{provider.Text("providers", "0", "options", "path")}:ro", grafana.Texts("volumes"));
        Assert.Contains("./deploy/grafana/provisioning:/etc/grafana/provisioning:ro", grafana.Texts("volumes"));
        Assert.Equal($"{provider.Text("providers", "0", "options", "path")}/overview.json", grafana.Text("environment", "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"));
        Assert.Equal($"http://prometheus:{port}", source.Text("url"));
        Assert.Equal(DeployFile.Documents("deploy/prometheus/prometheus.yml")[0].Text("global", "scrape_interval"), source.Text("jsonData", "timeInterval"));
    }

    private static string[] Names() =>
        [.. Directory.GetFiles(DeployFile.PathOf(Folder)).Select(file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal)];

    private static JsonElement Read(string name)
    {
        using var document = JsonDocument.Parse(DeployFile.Read($"{Folder}/{name}.json"));
        return document.RootElement.Clone();
    }

    private static IEnumerable<JsonElement> Panels(string name) =>
        Read(name).GetProperty("panels").EnumerateArray().Where(panel => panel.GetProperty("type").GetString() != "row");

    // A heatmap's values are counts; what has a unit is its axis.
    private static string? Unit(JsonElement panel) => panel.GetProperty("type").GetString() == "heatmap"
        ? panel.GetProperty("options").GetProperty("yAxis").GetProperty("unit").GetString()
        : panel.GetProperty("fieldConfig").GetProperty("defaults").GetProperty("unit").GetString();

    private static IEnumerable<double> Choices(string dashboard, string variable) => Read(dashboard).GetProperty("templating").GetProperty("list").EnumerateArray()
        .Single(one => one.GetProperty("name").GetString() == variable).GetProperty("options").EnumerateArray()
        .Select(option => double.Parse(option.GetProperty("value").GetString()!, CultureInfo.InvariantCulture));

    [GeneratedRegex(@"\$\{?([a-z_]\w*)\}?")]
    private static partial Regex Variable();
}
