using System.Text.RegularExpressions;
using Gateway.Configuration;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>The manifests agree with each other and with the gateway. Their keys and types are checked against the API's own by Gateway.Tests/Clients/schemas.mjs.</summary>
public partial class KubernetesTests
{
    private static readonly TimeSpan LastWords = TimeSpan.FromSeconds(2);

    public static YamlMappingNode[] Manifests() =>
        [.. Directory.GetFiles(DeployFile.PathOf("deploy/kubernetes"), "*.yaml").SelectMany(file => DeployFile.Documents(file))];

    [Fact]
    public void ConfigMap_AsShipped_IsAConfigurationThatTheGatewayTakes()
    {
        var options = Options();

        Assert.NotEmpty(options.Models);
    }

    [Fact]
    public void Deployment_AsShipped_ListensWhereServiceAndProbesLook()
    {
        var container = Container();
        var port = container.Items("ports").Single();

        Assert.EndsWith(":" + port.Text("containerPort"), Options().Listen.Urls.Single(), StringComparison.Ordinal);
        Assert.Equal(
            [port.Text("name")],
            new[]
            {
                Of("Service").Text("spec", "ports", "0", "targetPort"), container.Text("readinessProbe", "httpGet", "port"), container.Text("livenessProbe", "httpGet", "port"),
                Of("NetworkPolicy").Text("spec", "ingress", "0", "ports", "0", "port"), Of("ServiceMonitor").Text("spec", "endpoints", "0", "port"),
            }.Distinct());
        Assert.Equal("http", Of("Service").Text("spec", "ports", "0", "name"));
    }

    [Fact]
    public void Deployment_AskedToStop_HasTimeForItsRunningAnswers()
    {
        var pod = Pod();

        var grace = TimeSpan.FromSeconds(int.Parse(pod.Text("terminationGracePeriodSeconds")));
        var sleep = TimeSpan.FromSeconds(int.Parse(Container().Texts("lifecycle", "preStop", "exec", "command")[^1]));

        Assert.True(grace >= sleep + Options().Listen.DrainTimeout + LastWords, $"{grace} is shorter than {sleep} + {Options().Listen.DrainTimeout} + {LastWords}");
    }

    [Fact]
    public void Deployment_AsShipped_RunsWithoutRightsAndWritesOnlyToItsVolumes()
    {
        var pod = Pod();
        var container = Container();
        var writable = container.Items("volumeMounts").Where(mount => mount.Find("readOnly") is null).Select(mount => mount.Text("mountPath"));

        Assert.Equal("true", pod.Text("securityContext", "runAsNonRoot"));
        Assert.Equal("true", container.Text("securityContext", "readOnlyRootFilesystem"));
        Assert.Equal("false", container.Text("securityContext", "allowPrivilegeEscalation"));
        Assert.Equal(["ALL"], container.Texts("securityContext", "capabilities", "drop"));
        Assert.Equal(["/tmp", "/var/lib/gateway"], writable.Order());
        Assert.Contains("USER " + pod.Text("securityContext", "runAsUser") + "\n", DeployFile.Read("deploy/docker/Dockerfile"), StringComparison.Ordinal);
    }

    [Fact]
    public void Deployment_AsShipped_KeepsWhatIsLearnedOnItsVolume()
    {
        var environment = Container().Items("env").ToDictionary(variable => variable.Text("name"), variable => variable.Text("value"));
        var state = Container().Items("volumeMounts").Single(mount => mount.Text("name") == "state");

        var (options, problems) = ConfigurationLoader.Load(Of("ConfigMap").Text("data", "gateway.yaml"), "gateway.yaml", environment);

        Assert.Empty(problems);
        Assert.Equal(state.Text("mountPath"), Path.GetDirectoryName(options!.Estimation.SnapshotPath));
    }

    [Fact]
    public void Deployment_AsShipped_MountsTheConfigurationSoThatEditsReachIt()
    {
        var mount = Container().Items("volumeMounts").Single(mount => mount.Text("name") == "config");
        var volume = Pod().Items("volumes").Single(volume => volume.Text("name") == "config");

        Assert.Null(mount.Find("subPath"));
        Assert.Equal(Of("ConfigMap").Text("metadata", "name"), volume.Text("configMap", "name"));
        Assert.Contains(mount.Text("mountPath") + "/" + Of("ConfigMap").Entries("data").Single().Key, Container().Texts("args"));
        Assert.Equal(Of("Secret").Text("metadata", "name"), Container().Text("envFrom", "0", "secretRef", "name"));
    }

    [Fact]
    public void Selectors_AsShipped_MatchTheLabelsOfTheGateway()
    {
        var labels = Of("Deployment").Find("spec", "template", "metadata", "labels")!.Canonical();

        Assert.Equal(labels, Of("Deployment").Find("spec", "selector", "matchLabels")!.Canonical());
        Assert.Equal(labels, Of("Service").Find("spec", "selector")!.Canonical());
        Assert.Equal(labels, Of("PodDisruptionBudget").Find("spec", "selector", "matchLabels")!.Canonical());
        Assert.Equal(labels, Of("NetworkPolicy").Find("spec", "podSelector", "matchLabels")!.Canonical());
        Assert.Equal(Of("Service").Find("metadata", "labels")!.Canonical(), Of("ServiceMonitor").Find("spec", "selector", "matchLabels")!.Canonical());
    }

    [Fact]
    public void ServiceAccount_AsShipped_MayReadEndpointSlicesAndNothingElse()
    {
        var rule = Of("Role").Items("rules").Single();

        Assert.Equal(["endpointslices"], rule.Texts("resources"));
        Assert.Equal(["discovery.k8s.io"], rule.Texts("apiGroups"));
        Assert.Equal(["get", "list", "watch"], rule.Texts("verbs"));
        Assert.Equal(Of("Role").Text("metadata", "name"), Of("RoleBinding").Text("roleRef", "name"));
        Assert.Equal(Pod().Text("serviceAccountName"), Of("RoleBinding").Text("subjects", "0", "name"));
        Assert.Equal(Pod().Text("serviceAccountName"), Of("ServiceAccount").Text("metadata", "name"));
    }

    [Fact]
    public void NetworkPolicy_AsShipped_LetsTheEnginesBeReached()
    {
        var engine = Options().Models.Single().Replicas.Single();
        var ports = Of("NetworkPolicy").Items("spec", "egress").SelectMany(rule => rule.Items("ports")).Select(port => port.Text("port"));

        Assert.Contains(engine.Dns!.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), ports);
    }

    [Fact]
    public void NetworkPolicy_AsShipped_LetsRedisBeReached()
    {
        var rule = Of("NetworkPolicy").Items("spec", "egress").Single(rule => rule.Find("to") is not null && rule.Canonical().Contains("\"redis\"", StringComparison.Ordinal));

        var servers = Regex.Match(DeployFile.Read("deploy/kubernetes/config.yaml"), @"# redis: \{ servers: \[redis:(\d+)\]");
        Assert.Equal(servers.Groups[1].Value, rule.Text("ports", "0", "port"));
    }

    [Fact]
    public void Autoscaler_AsShipped_ReadsMetricsThatTheAdapterMakesOfRecordedOnes()
    {
        var wanted = Of("HorizontalPodAutoscaler").Items("spec", "metrics").Select(metric => metric.Text("external", "metric", "name"));
        var models = Of("HorizontalPodAutoscaler").Items("spec", "metrics").Select(metric => metric.Text("external", "metric", "selector", "matchLabels", "model"));
        var adapter = DeployFile.Documents("deploy/prometheus/adapter.yaml")[0].Items("rules", "external");
        var recorded = PrometheusTests.Rules("deploy/prometheus/rules.yml").Select(rule => rule.Text("record"));

        Assert.Equal(wanted.Order(), adapter.Select(rule => rule.Text("name", "as")).Order());
        Assert.All(adapter, rule => Assert.Contains(Series().Match(rule.Text("seriesQuery")).Groups[1].Value, recorded));
        Assert.All(models, model => Assert.Equal(Options().Models.Single().Name, model));
    }

    [Fact]
    public void Image_AsShipped_IsPinnedToThisVersion() =>
        Assert.EndsWith(":" + GatewayServer.Version, Container().Text("image"), StringComparison.Ordinal);

    private static YamlMappingNode Of(string kind) => Manifests().Single(manifest => manifest.Text("kind") == kind);

    private static YamlNode Pod() => Of("Deployment").Find("spec", "template", "spec")!;

    private static YamlNode Container() => Pod().Items("containers").Single();

    private static GatewayOptions Options()
    {
        var (options, problems) = ConfigurationLoader.Load(Of("ConfigMap").Text("data", "gateway.yaml"), "gateway.yaml", new Dictionary<string, string>());
        Assert.Empty(problems);
        return options!;
    }

    [GeneratedRegex("__name__=\"([^\"]+)\"")]
    private static partial Regex Series();
}
