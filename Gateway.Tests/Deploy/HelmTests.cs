using System.Text.Json;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>The chart is the plain manifests with values in them.</summary>
public class HelmTests
{
    private const string Folder = "deploy/helm";

    [Fact]
    public void Chart_WithDefaultValues_SaysWhatThePlainManifestsSay()
    {
        var plain = KubernetesTests.Manifests().ToDictionary(Name, manifest => manifest.Canonical());

        var chart = new HelmChart(Folder, "gateway").Manifests.ToDictionary(Name, manifest => manifest.Canonical());

        Assert.Equal(plain.Keys.Order(), chart.Keys.Order());
        Assert.All(plain, manifest => Assert.Equal(manifest.Value, chart[manifest.Key]));
    }

    [Fact]
    public void Chart_UnderAnotherName_NamesNothingByTheDefaultOne()
    {
        var chart = new HelmChart(Folder, "other");

        Assert.All(chart.Manifests, manifest => Assert.StartsWith("other", manifest.Text("metadata", "name"), StringComparison.Ordinal));
        Assert.DoesNotContain(chart.Manifests, manifest => manifest.Canonical().Contains("app.kubernetes.io/instance\": \"gateway\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("podDisruptionBudget.enabled", "PodDisruptionBudget")]
    [InlineData("networkPolicy.enabled", "NetworkPolicy")]
    [InlineData("autoscaling.enabled", "HorizontalPodAutoscaler")]
    [InlineData("serviceMonitor.enabled", "ServiceMonitor")]
    public void Chart_WithAPartSwitchedOff_LeavesThatOut(string value, string kind)
    {
        var all = new HelmChart(Folder, "gateway").Manifests.Select(manifest => manifest.Text("kind"));

        var kinds = new HelmChart(Folder, "gateway", (value, "false")).Manifests.Select(manifest => manifest.Text("kind"));

        Assert.Equal(all.Where(some => some != kind), kinds);
    }

    [Fact]
    public void Chart_WithASecretOfSomebodyElse_UsesItAndMakesNone()
    {
        var chart = new HelmChart(Folder, "gateway", ("keys.existingSecret", "vault-keys"));

        Assert.DoesNotContain(chart.Manifests, manifest => manifest.Text("kind") == "Secret");
        Assert.Equal("vault-keys", Pod(chart).Text("containers", "0", "envFrom", "0", "secretRef", "name"));
    }

    [Fact]
    public void Chart_WithValuesForThePod_PutsThemThere()
    {
        var chart = new HelmChart(
            Folder, "gateway", ("state.existingClaim", "learned"), ("env", "[{ name: GATEWAY__QUEUE__MAXWAIT, value: 10s }]"), ("nodeSelector", "{ pool: cpu }"),
            ("tolerations", "[{ key: cpu, operator: Exists }]"), ("affinity", "{ nodeAffinity: {} }"), ("image.pullSecrets", "[{ name: registry }]"));
        var pod = Pod(chart);

        Assert.Equal("learned", pod.Items("volumes").Single(volume => volume.Text("name") == "state").Text("persistentVolumeClaim", "claimName"));
        Assert.Equal("10s", pod.Text("containers", "0", "env", "1", "value"));
        Assert.Equal("cpu", pod.Text("nodeSelector", "pool"));
        Assert.Equal("Exists", pod.Text("tolerations", "0", "operator"));
        Assert.NotNull(pod.Find("affinity", "nodeAffinity"));
        Assert.Equal("registry", pod.Text("imagePullSecrets", "0", "name"));
    }

    [Fact]
    public void Schema_OfTheValues_KnowsEachOfThemWithItsType()
    {
        using var schema = JsonDocument.Parse(DeployFile.Read(Folder + "/values.schema.json"));

        Assert.Empty(Unknown(DeployFile.Documents(Folder + "/values.yaml")[0], schema.RootElement, ""));
    }

    [Fact]
    public void Chart_Versions_AreThoseOfTheBuild()
    {
        var chart = DeployFile.Documents(Folder + "/Chart.yaml")[0];
        var values = DeployFile.Documents(Folder + "/values.yaml")[0];

        Assert.Equal(GatewayServer.Version, chart.Text("version"));
        Assert.Equal(GatewayServer.Version, chart.Text("appVersion"));
        Assert.Equal(GatewayServer.Version, values.Text("image", "tag"));
    }

    private static YamlNode Pod(HelmChart chart) =>
        chart.Manifests.Single(manifest => manifest.Text("kind") == "Deployment").Find("spec", "template", "spec")!;

    private static string Name(YamlMappingNode manifest) => manifest.Text("kind") + " " + manifest.Text("metadata", "name");

    private static IEnumerable<string> Unknown(YamlNode value, JsonElement schema, string path)
    {
        var type = schema.TryGetProperty("type", out var named) && named.ValueKind == JsonValueKind.String ? named.GetString() : null;
        var fits = type switch
        {
            "object" => value is YamlMappingNode,
            "array" => value is YamlSequenceNode,
            "boolean" => value.Canonical() is "true" or "false",
            "integer" => long.TryParse(value.Canonical(), out _),
            "string" => value.Canonical().StartsWith('"'),
            _ => true,
        };
        if (!fits)
        {
            return [$"{path} is no {type}"];
        }
        if (!schema.TryGetProperty("properties", out var properties))
        {
            return [];
        }
        return value.Entries().SelectMany(entry => properties.TryGetProperty(entry.Key, out var inner)
            ? Unknown(entry.Value, inner, path + "." + entry.Key)
            : [path + "." + entry.Key + " is not in the schema"]);
    }
}
