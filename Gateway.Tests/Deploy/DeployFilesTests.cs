using System.Text.RegularExpressions;
using Gateway.Configuration;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>The files of a deployment name each other's services, ports and paths; no container engine is needed to see whether they agree.</summary>
public partial class DeployFilesTests
{
    private static readonly string[] ComposeSections = ["version", "services", "networks", "volumes"];
    private static readonly Dictionary<string, string> NoEnvironment = [];

    [Fact]
    public void Compose_AsShipped_HasOnlyTheSectionsThatOldVersionsKnow()
    {
        var sections = Compose().Children.Keys.Select(Text);

        Assert.Empty(sections.Except(ComposeSections));
    }

    [Fact]
    public void Compose_AsShipped_MountsAndBuildsOnlyFilesThatExist()
    {
        var mounts = Services().SelectMany(service => Items(service.Value, "volumes")).Where(mount => mount.StartsWith("./", StringComparison.Ordinal));
        var builds = Services().Select(service => Find(service.Value, "build", "dockerfile")).OfType<YamlNode>().Select(Text);
        var files = mounts.Select(mount => mount.Split(':')[0]).Concat(builds).Distinct().ToArray();

        Assert.Contains("deploy/docker/Dockerfile", files);
        Assert.All(files, file => Assert.True(File.Exists(Path.Combine(Root(), file)), $"{file} is missing"));
    }

    [Fact]
    public void Compose_AsShipped_PublishesThePortsThatListen()
    {
        var gateway = Options();
        var published = Items(Services()["gateway"], "ports").Select(port => port.Split(':')[^1]);

        Assert.Equal([Port(gateway.Listen.Urls.Single())], published);
    }

    [Fact]
    public void Gateway_AsShipped_SendsToTheEnginesOfCompose()
    {
        var engines = EngineAddresses();

        var replicas = Options().Models.SelectMany(model => model.Replicas).Select(replica => replica.Url!.Authority);

        Assert.Equal(engines.Order(), replicas.Order());
    }

    [Fact]
    public void Prometheus_AsShipped_ScrapesTheGatewayAndEveryEngine()
    {
        var text = File.ReadAllText(Path.Combine(Root(), "deploy", "prometheus", "prometheus.yml"));

        var targets = Target().Matches(text).Select(match => match.Groups[1].Value);

        Assert.Equal([.. EngineAddresses().Order(), "gateway:" + Port(Options().Listen.Urls.Single())], targets.Order());
    }

    [Fact]
    public void Dockerfile_AsShipped_CopiesOnlyWhatExistsAndIsLetThrough()
    {
        var folder = Path.Combine(Root(), "deploy", "docker");
        var ignored = File.ReadAllLines(Path.Combine(folder, "Dockerfile.dockerignore"));
        var copies = File.ReadLines(Path.Combine(folder, "Dockerfile"))
            .Where(line => line.StartsWith("COPY", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal))
            .SelectMany(line => line.Split(' ').Skip(1).Where(word => !word.StartsWith("--", StringComparison.Ordinal)).SkipLast(1))
            .Distinct().ToArray();

        Assert.NotEmpty(copies);
        Assert.All(copies, copy => Assert.True(Path.Exists(Path.Combine(Root(), copy)), $"{copy} is missing"));
        Assert.All(copies, copy => Assert.Contains(ignored, line => line.StartsWith('!') && copy.StartsWith(line[1..], StringComparison.Ordinal)));
    }

    [Fact]
    public void Dockerfile_AsShipped_DoesNotRunAsRootAndChecksThePortThatListens()
    {
        var text = File.ReadAllText(Path.Combine(Root(), "deploy", "docker", "Dockerfile"));

        Assert.Matches(@"(?m)^USER [1-9]\d+$", text);
        Assert.Contains($"""CMD ["healthy", "{Port(Options().Listen.Urls.Single())}", "/livez"]""", text, StringComparison.Ordinal);
    }

    private static string[] EngineAddresses() =>
        [.. Services().Where(service => Items(service.Value, "command").FirstOrDefault() == "engine").Select(service => $"{service.Key}:{Following(service.Value, "--port")}")];

    private static string Following(YamlNode service, string flag)
    {
        var words = Items(service, "command");
        return words[words.ToList().IndexOf(flag) + 1];
    }

    private static GatewayOptions Options()
    {
        var (options, problems) = ConfigurationFile.Load(Path.Combine(Root(), "deploy", "docker", "gateway.yaml"), NoEnvironment);
        Assert.Empty(problems);
        return options!;
    }

    private static YamlMappingNode Compose()
    {
        using var reader = File.OpenText(Path.Combine(Root(), "docker-compose.yml"));
        var yaml = new YamlStream();
        yaml.Load(reader);
        return (YamlMappingNode)yaml.Documents[0].RootNode;
    }

    private static Dictionary<string, YamlNode> Services() =>
        ((YamlMappingNode)Compose()["services"]).Children.ToDictionary(service => Text(service.Key), service => service.Value);

    private static string[] Items(YamlNode service, string key) =>
        Find(service, key) is YamlSequenceNode list ? [.. list.Children.Select(Text)] : [];

    private static YamlNode? Find(YamlNode node, params string[] path) =>
        path.Aggregate((YamlNode?)node, (at, key) => at is YamlMappingNode map && map.Children.TryGetValue(key, out var next) ? next : null);

    private static string Text(YamlNode node) => ((YamlScalarNode)node).Value!;

    private static string Port(string url) => url[(url.LastIndexOf(':') + 1)..];

    private static string Root()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Gateway.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }
        return folder;
    }

    [GeneratedRegex("\"([a-z-]+:[0-9]+)\"")]
    private static partial Regex Target();
}
