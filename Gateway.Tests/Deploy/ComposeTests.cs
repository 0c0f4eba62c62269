using System.Text.RegularExpressions;
using Gateway.Configuration;
using YamlDotNet.RepresentationModel;

namespace Gateway.Tests.Deploy;

/// <summary>docker-compose.yml and the files it mounts name each other's services, ports and paths; no container engine is needed to see whether they agree.</summary>
public class ComposeTests
{
    private static readonly string[] Sections = ["version", "services", "networks", "volumes"];
    private static readonly Dictionary<string, string> NoEnvironment = [];

    [Fact]
    public void Compose_AsShipped_HasOnlyTheSectionsThatOldVersionsKnow()
    {
        var sections = Compose().Entries().Keys.Where(section => !section.StartsWith("x-", StringComparison.Ordinal));

        Assert.Equal(Sections.Order(), sections.Order());
    }

    [Fact]
    public void Compose_AsShipped_MountsAndBuildsOnlyWhatExists()
    {
        var mounts = Services().SelectMany(service => service.Value.Texts("volumes")).Where(mount => mount.StartsWith("./", StringComparison.Ordinal));
        var builds = Services().Select(service => service.Value.Find("build", "dockerfile")).OfType<YamlScalarNode>().Select(file => file.Value!);
        var files = mounts.Select(mount => mount.Split(':')[0]).Concat(builds).Distinct().ToArray();

        Assert.Contains("deploy/docker/Dockerfile", files);
        Assert.All(files, file => Assert.True(Path.Exists(DeployFile.PathOf(file)), $"{file} is missing"));
        Assert.All(mounts, mount => Assert.EndsWith(":ro", mount, StringComparison.Ordinal));
    }

    [Fact]
    public void Compose_AsShipped_PinsEveryImage()
    {
        var images = Services().Values.Select(service => service.Text("image")).Where(image => image != "gateway:local").ToArray();

        Assert.NotEmpty(images);
        Assert.All(images, image => Assert.Matches(@"^[\w./-]+:v?\d+\.\d+\.\d+$", image));
    }

    [Fact]
    public void Compose_AsShipped_ShutsEveryServiceIn()
    {
        Assert.All(Services(), service =>
        {
            Assert.True(service.Value.Find("read_only") is YamlScalarNode { Value: "true" }, $"{service.Key} may write to its root");
            Assert.Equal(["ALL"], service.Value.Texts("cap_drop"));
            Assert.All(service.Value.Texts("ports"), port => Assert.StartsWith("127.0.0.1:", port, StringComparison.Ordinal));
        });
    }

    [Theory]
    [InlineData("docker-compose.yml", "deploy/docker/gateway.yaml")]
    [InlineData("deploy/docker/real-engines.yml", "deploy/docker/engines.yaml")]
    public void Gateway_InFrontOfEither_PublishesThePortThatListensAndHasTimeToDrain(string compose, string file)
    {
        var options = Options(file);
        var gateway = Services()["gateway"];

        Assert.Equal([Port(options.Listen.Urls.Single())], gateway.Texts("ports").Select(Port));
        Assert.Equal([$"./{file}:{gateway.Texts("command")[^1]}:ro"], DeployFile.Documents(compose)[0].Texts("services", "gateway", "volumes"));
        Assert.True(TimeSpan.FromSeconds(int.Parse(gateway.Text("stop_grace_period").TrimEnd('s'))) > options.Listen.DrainTimeout);
    }

    [Fact]
    public void Gateway_InFrontOfSimulatedEngines_SendsToEachOfThem()
    {
        var replicas = Options("deploy/docker/gateway.yaml").Models.SelectMany(model => model.Replicas).Select(replica => replica.Url!.Authority);

        Assert.Equal(EngineAddresses().Order(), replicas.Order());
    }

    [Fact]
    public void RealEngines_InFrontOfThem_KeepEverySimulatedServiceAway()
    {
        var simulated = Services().Where(service => service.Value.Texts("command").FirstOrDefault() is "engine" or "replay").Select(service => service.Key);

        var away = DeployFile.Documents("deploy/docker/real-engines.yml")[0].Entries("services").Where(service => service.Value.Texts("profiles") is ["simulated"]);

        Assert.Equal(simulated.Order(), away.Select(service => service.Key).Order());
    }

    [Fact]
    public void Load_InFrontOfSimulatedEngines_GoesToTheGateway()
    {
        var loads = Services().Values.Where(service => service.Texts("command").FirstOrDefault() == "replay").ToArray();

        Assert.NotEmpty(loads);
        Assert.All(loads, load => Assert.Equal("http://gateway:" + Port(Options("deploy/docker/gateway.yaml").Listen.Urls.Single()), Following(load, "--live")));
    }

    [Fact]
    public void Dockerfile_AsShipped_CopiesOnlyWhatExistsAndIsLetThrough()
    {
        var ignored = File.ReadAllLines(DeployFile.PathOf("deploy/docker/Dockerfile.dockerignore"));
        var copies = DeployFile.Read("deploy/docker/Dockerfile").Split('\n')
            .Where(line => line.StartsWith("COPY", StringComparison.Ordinal) && !line.Contains("--from", StringComparison.Ordinal))
            .SelectMany(line => line.Split(' ').Skip(1).Where(word => !word.StartsWith("--", StringComparison.Ordinal)).SkipLast(1))
            .Distinct().ToArray();

        Assert.NotEmpty(copies);
        Assert.All(copies, copy => Assert.True(Path.Exists(DeployFile.PathOf(copy)), $"{copy} is missing"));
        Assert.All(copies, copy => Assert.Contains(ignored, line => line.StartsWith('!') && copy.StartsWith(line[1..], StringComparison.Ordinal)));
    }

    [Fact]
    public void Dockerfile_AsShipped_DoesNotRunAsRootAndChecksThePortThatListens()
    {
        var text = DeployFile.Read("deploy/docker/Dockerfile");

        Assert.Matches(@"(?m)^USER [1-9]\d+$", text);
        Assert.All(Regex.Matches(text, "(?m)^FROM (\\S+)"), from => Assert.Matches(@":\d+\.\d+-alpine\d+\.\d+$", from.Groups[1].Value));
        Assert.Contains($"http://127.0.0.1:{Port(Options("deploy/docker/gateway.yaml").Listen.Urls.Single())}/livez", text, StringComparison.Ordinal);
    }

    internal static Dictionary<string, YamlNode> Services() => Compose().Entries("services");

    internal static string[] EngineAddresses() =>
        [.. Services().Where(service => service.Value.Texts("command").FirstOrDefault() == "engine").Select(service => $"{service.Key}:{Following(service.Value, "--port")}")];

    internal static string Port(string url) => url[(url.LastIndexOf(':') + 1)..];

    internal static GatewayOptions Options(string file)
    {
        var (options, problems) = ConfigurationFile.Load(DeployFile.PathOf(file), NoEnvironment);
        Assert.Empty(problems);
        return options!;
    }

    private static string Following(YamlNode service, string flag)
    {
        var words = service.Texts("command");
        return words[Array.IndexOf(words, flag) + 1];
    }

    private static YamlMappingNode Compose() => DeployFile.Documents("docker-compose.yml")[0];
}
