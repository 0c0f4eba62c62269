using System.Text.Json;
using Gateway.Cli;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Cli.Live;

public sealed class LiveVerbTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("live");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Replay_OfALiveEndpoint_ReportsItBesideTheSimulatedPolicies()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 50 }, default);
        var (json, page) = (Path.Combine(_folder.FullName, "out.json"), Path.Combine(_folder.FullName, "out.html"));

        var (exitCode, output, error) = await RunAsync(
            "--trace", "w1:rate=50", "--limit", "20", "--profile", "demo", "--live", $"{engine.Uri}", "--policies", "plain,round_robin", "--json", json, "--report", page);

        Assert.Equal((0, ""), (exitCode, error));
        Assert.Contains("\n| live ", output, StringComparison.Ordinal);
        Assert.Contains("20 sent, at most", output, StringComparison.Ordinal);
        Assert.Contains("failures             none", output, StringComparison.Ordinal);
        using var report = JsonDocument.Parse(await File.ReadAllBytesAsync(json));
        Assert.Equal(["live", "plain", "round_robin"], report.RootElement.GetProperty("runs").EnumerateArray().Select(run => run.GetProperty("policy").GetString()));
        Assert.Equal(20, report.RootElement.GetProperty("load").GetProperty("lateness").GetProperty("count").GetInt32());
        Assert.Contains("Load on the endpoint", await File.ReadAllTextAsync(page), StringComparison.Ordinal);
        // And the one that goes before.
        Assert.Equal(21, engine.Journal.Finished);
    }

    [Fact]
    public async Task Replay_OfAnEndpointThatFailsEveryRequest_ReportsItAndEndsWithOne()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Faults = new EngineFaults { FailRate = 1 } }, default);

        var (exitCode, output, error) = await RunAsync("--trace", "w1:rate=50", "--limit", "5", "--live", $"{engine.Uri}v1");

        Assert.Equal((1, "Every request failed.\n"), (exitCode, error.ReplaceLineEndings("\n")));
        Assert.Contains("5 × status 500", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_WithTheKeyOfAVariable_IsLetInAndNeverShowsIt()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 50, ApiKey = "sesame" }, default);
        Environment.SetEnvironmentVariable("LIVE_VERB_TEST_KEY", "sesame");
        Environment.SetEnvironmentVariable("LIVE_VERB_TEST_WRONG", "letmein");

        var (refused, _, problem) = await RunAsync("--trace", "w1", "--limit", "2", "--live", $"{engine.Uri}");
        var (wrong, _, wrongProblem) = await RunAsync("--trace", "w1", "--limit", "2", "--live", $"{engine.Uri}", "--live-key", "LIVE_VERB_TEST_WRONG");
        var (allowed, output, _) = await RunAsync("--trace", "w1", "--limit", "2", "--live", $"{engine.Uri}", "--live-key", "LIVE_VERB_TEST_KEY");

        Assert.Equal((1, 1, 0), (refused, wrong, allowed));
        Assert.Contains("answered 401: it asks for a key", problem, StringComparison.Ordinal);
        Assert.Contains("does not accept the key", wrongProblem, StringComparison.Ordinal);
        Assert.DoesNotContain("letmein", wrongProblem, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_OfAnEndpointWithoutModels_SaysSoAndSendsNothing()
    {
        await using var engine = new ScriptedEngine(_ => Task.CompletedTask, models: []);

        var (exitCode, output, error) = await RunAsync("--trace", "w1", "--limit", "2", "--live", $"{engine.Uri}");

        Assert.Equal((1, ""), (exitCode, output));
        Assert.Contains("lists no model", error, StringComparison.Ordinal);
        Assert.Empty(engine.Calls);
    }

    [Fact]
    public async Task Replay_OfAnEndpointThatIsNotThere_SaysSo()
    {
        await using var engine = new ScriptedEngine(_ => Task.CompletedTask);
        engine.Close();

        var (exitCode, _, error) = await RunAsync("--trace", "w1", "--limit", "2", "--live", $"{engine.Uri}");

        Assert.Equal(1, exitCode);
        Assert.Contains("cannot be reached", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--live nowhere", "must be like")]
    [InlineData("--live http://user:secret@127.0.0.1:1", "must be like")]
    [InlineData("--live-plain", "has a meaning only with --live")]
    [InlineData("--live http://127.0.0.1:1 --live-key LIVE_VERB_TEST_NONE", "is not set")]
    [InlineData("--live http://127.0.0.1:1 --live-timeout 0", "from 1 to 86400")]
    [InlineData("--live http://127.0.0.1:1 --live-max-open 100000", "from 1 to 60000")]
    [InlineData("--live http://127.0.0.1:1 --sweep 0.5:1:2", "not together with --live")]
    public async Task Replay_WithWrongWords_SaysWhatIsAllowed(string words, string expected)
    {
        var (exitCode, _, error) = await RunAsync(["--trace", "w1", "--limit", "2", .. words.Split(' ')]);

        Assert.Equal(2, exitCode);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => VerbRun.RunAsync(ReplayVerb.Create(), arguments);
}
