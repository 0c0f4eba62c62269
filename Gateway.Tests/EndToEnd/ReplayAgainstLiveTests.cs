using System.Text.Json;
using Gateway.Cli;
using Gateway.Simulation;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>What replay says of a workload is what the gateway then does with it over HTTP.</summary>
public sealed class ReplayAgainstLiveTests(ITestOutputHelper output) : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("replay-against-live");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    [Trait("Category", "Long")]
    public async Task Replay_OfAnOverload_AgreesWithTheServingGatewayOnMeanTimeToFirstToken()
    {
        const int Replicas = 2;
        await using var world = await GatewayWorld.StartAsync(
            Replicas, (engine, _) => engine with { Profile = EngineProfiles.Rtx4090Llama8B }, options => options with { Queue = new() { MaxWait = TimeSpan.FromMinutes(5) } });
        var json = Path.Combine(_folder.FullName, "out.json");

        // Whoever sends the load fixes each answer's length, and so tells the gateway: what the oracle knows.
        string[] arguments =
        [
            "--trace", "w1:rate=12,requests=900", "--replicas", $"{Replicas}", "--policies", "least_delay/boost/past_future/oracle,round_robin", "--hop-ms", "1",
            "--live", $"{world.Client.BaseAddress}", "--json", json,
        ];
        Assert.Equal(0, await ReplayVerb.Create().Parse(arguments).InvokeAsync());

        using var report = JsonDocument.Parse(await File.ReadAllBytesAsync(json));
        var means = report.RootElement.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("ttft").GetProperty("mean").GetDouble()).ToArray();
        output.WriteLine($"mean TTFT: live {means[0]:0.000} s, replay {means[1]:0.000} s, replay of round robin {means[2]:0.000} s");
        Assert.InRange(means[0] / means[1], 0.9, 1.1);
        Assert.True(means[0] < means[2], "the advantage over round robin shows over HTTP, too");
    }
}
