using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Queueing;
using Gateway.Routing;
using Gateway.Telemetry;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class ConfigurationFilesTests
{
    private static readonly string Folder = Path.Combine(Root(), "config");

    public static TheoryData<string> Shipped() => [.. Directory.EnumerateFiles(Folder, "*.yaml").Select(file => Path.GetFileName(file)).Order()];

    [Theory, MemberData(nameof(Shipped))]
    public void Load_OfAShippedFile_FindsNoProblem(string file)
    {
        var (options, problems) = ConfigurationFile.Load(Path.Combine(Folder, file), NoEnvironment);

        Assert.Empty(problems);
        Assert.NotEmpty(options!.Models);
    }

    [Fact]
    public void GatewayYaml_AsShipped_ShowsTheRealDefaults()
    {
        var options = ConfigurationFile.Load(Path.Combine(Folder, "gateway.yaml"), NoEnvironment).Options!;
        var defaults = new GatewayOptions();

        Assert.Equal(new QueueOptions(), options.Queue);
        Assert.Equal(new EstimationOptions(), options.Estimation);
        Assert.Equal(new ResilienceOptions(), options.Resilience);
        Assert.Equal(new TelemetryOptions(), options.Telemetry);
        Assert.Equal(new RoutingOptions(), options.Routing with { Scorers = new RoutingOptions().Scorers });
        Assert.Equal(GatewayMode.Full, options.Mode);
        Assert.Empty(RestartKeys.Changed(defaults, options));
    }

    [Fact]
    public void GatewayYaml_AsShipped_MentionsEverySetting()
    {
        var text = File.ReadAllText(Path.Combine(Folder, "gateway.yaml"));

        var missing = Keys(typeof(GatewayOptions)).Distinct().Where(key => !text.Contains(key + ":", StringComparison.Ordinal));

        Assert.Empty(missing);
    }

    [Fact]
    public void Read_OfALongFile_ReturnsAllOfIt()
    {
        var path = Path.GetTempFileName();
        var text = string.Concat(Enumerable.Range(0, 5_000).Select(i => $"# line {i} ä\n"));
        File.WriteAllText(path, text);

        var read = ConfigurationFile.Read(path, out var problem);

        File.Delete(path);
        Assert.Equal((text, null), (read, problem));
    }

    [Fact]
    public void Read_OfAHugeFile_IsRefused()
    {
        var path = Path.GetTempFileName();
        File.WriteAllBytes(path, new byte[ConfigurationLoader.MaxBytes + 1]);

        var read = ConfigurationFile.Read(path, out var problem);

        File.Delete(path);
        Assert.Equal((null, "The file is larger than 4MiB."), (read, problem));
    }

    private static IEnumerable<string> Keys(Type section) => SettingSchema.Of(section).SelectMany(setting =>
    {
        var inner = SettingSchema.ItemOf(setting.ValueType) ?? setting.ValueType;
        return SettingSchema.IsSection(inner) ? Keys(inner).Prepend(setting.Key) : [setting.Key];
    });
}
