using Gateway.Configuration;
using Gateway.Estimation;
using Gateway.Routing;
using Gateway.Tests.Deploy;

namespace Gateway.Tests.Configuration;

public sealed class RestartKeysTests
{
    public static TheoryData<string, GatewayOptions> Edits => new()
    {
        { "routing.seed", new() { Routing = new RoutingOptions { Seed = 2 } } },
        { "estimation.snapshotPath", new() { Estimation = new EstimationOptions { SnapshotPath = "lengths.bin" } } },
        { "estimation.snapshotInterval", new() { Estimation = new EstimationOptions { SnapshotInterval = TimeSpan.FromMinutes(1) } } },
        { "estimation.window", new() { Estimation = new EstimationOptions { Window = 64 } } },
        { "estimation.initialOutputTokens", new() { Estimation = new EstimationOptions { InitialOutputTokens = 9 } } },
    };

    [Theory, MemberData(nameof(Edits))]
    public void Changed_OfOneEdit_NamesIt(string key, GatewayOptions after) => Assert.Equal([key], RestartKeys.Changed(new GatewayOptions(), after));

    [Theory, MemberData(nameof(Edits))]
    public void GatewayYaml_OfASettingThatNeedsARestart_SaysSo(string key, GatewayOptions after)
    {
        Assert.NotNull(after);
        var line = DeployFile.Read("config/gateway.yaml").Split('\n').Single(line => line.TrimStart().StartsWith(key.Split('.')[1] + ":", StringComparison.Ordinal));

        Assert.Contains("(restart)", line, StringComparison.Ordinal);
    }
}
