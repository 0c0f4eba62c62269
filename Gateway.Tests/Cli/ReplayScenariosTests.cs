using System.CommandLine;
using System.Text.Json;
using Gateway.Cli;

namespace Gateway.Tests.Cli;

public sealed class ReplayScenariosTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("scenarios-");
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    [Fact]
    public async Task Replay_OfAFolderOfScenarios_PrintsARowPerClaimAndWritesThem()
    {
        Write("a.yaml", Scenario("sal"));
        var json = Path.Combine(_folder.FullName, "out.json");

        var exit = await InvokeAsync("--scenarios", _folder.FullName, "--quick", "--json", json);

        Assert.Equal((0, ""), (exit, _error.ToString()));
        Assert.Contains("| sal against round_robin |", _output.ToString(), StringComparison.Ordinal);
        Assert.Contains("A quick run", _output.ToString(), StringComparison.Ordinal);
        using var written = JsonDocument.Parse(await File.ReadAllBytesAsync(json));
        Assert.Equal("ttft_mean", written.RootElement.GetProperty("claims")[0].GetProperty("metric").GetString());
    }

    [Fact]
    public async Task Replay_OfAWrongScenario_SaysWhereAndRunsNothing()
    {
        Write("a.yaml", Scenario("sal"));
        Write("b.yaml", Scenario("fastest"));

        var exit = await InvokeAsync("--scenarios", _folder.FullName);

        Assert.Equal((2, ""), (exit, _output.ToString()));
        Assert.Contains("b.yaml:7:13  experiments[0].policy: No routing is called 'fastest'.", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("1 problem. Nothing was run.", _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_WithOutputInAFolderThatIsNotThere_RunsNothing()
    {
        Write("a.yaml", Scenario("sal"));

        var exit = await InvokeAsync("--scenarios", _folder.FullName, "--json", Path.Combine(_folder.FullName, "no", "out.json"));

        Assert.Equal((2, ""), (exit, _output.ToString()));
        Assert.Contains("is not a file in a folder that exists", _error.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--policies: not together with --scenarios", "--scenarios", "x", "--policies", "default")]
    [InlineData("--seed: not together with --scenarios", "--scenarios", "x", "--seed", "2")]
    [InlineData("--trace: not together with --matrix", "--matrix", "x", "--trace", "w1:rate=1")]
    [InlineData("--matrix: not together with --scenarios", "--matrix", "x", "--scenarios", "x")]
    [InlineData("--live: not together with --matrix", "--matrix", "x", "--live", "http://localhost:1")]
    [InlineData("--only: only with --matrix.", "--trace", "w1:rate=1", "--only", "w1")]
    [InlineData("--seeds: only with --matrix.", "--trace", "w1:rate=1", "--seeds", "2")]
    [InlineData("--quick: only with --matrix or --scenarios.", "--trace", "w1:rate=1", "--quick")]
    public async Task Replay_WithAnOptionThatWouldNotCount_RefusesIt(string problem, params string[] arguments)
    {
        var exit = await InvokeAsync(arguments);

        Assert.Equal((2, ""), (exit, _output.ToString()));
        Assert.Contains(problem, _error.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_OfAMatrixWithASeed_DrawsByIt()
    {
        Write("m.yaml", "replicas: [2]\nloads: [0.9]\nbaselines: [random]\nworkloads:\n  - { name: a, trace: \"w1:requests=200\", limit: 200 }\n");

        var (first, again, other) = (await MeanOfAsync("1"), await MeanOfAsync("1"), await MeanOfAsync("2"));

        Assert.Equal(first, again);
        Assert.NotEqual(first, other);
    }

    private async Task<double> MeanOfAsync(string seed)
    {
        var json = Path.Combine(_folder.FullName, "out.json");
        Assert.Equal(0, await InvokeAsync("--matrix", Path.Combine(_folder.FullName, "m.yaml"), "--seed", seed, "--json", json));
        using var written = JsonDocument.Parse(await File.ReadAllBytesAsync(json));
        return written.RootElement.GetProperty("cells")[0].GetProperty("rows")[0].GetProperty("e2eMean").GetDouble();
    }

    [Fact]
    public async Task Replay_OfNothing_SaysWhatIsMissing()
    {
        Assert.Equal(2, await InvokeAsync("--scenarios", _folder.FullName));
        Assert.Equal(2, await InvokeAsync("--scenarios", Path.Combine(_folder.FullName, "none.yaml")));
        Assert.Equal(2, await InvokeAsync());

        Assert.Contains("holds no *.yaml", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("no such file", _error.ToString(), StringComparison.Ordinal);
        Assert.Contains("--trace, --scenarios or --matrix is needed", _error.ToString(), StringComparison.Ordinal);
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static string Scenario(string policy) => $$"""
        system: S
        source: nowhere
        experiments:
          - name: e
            workload: w1:rate=12
            baseline: round_robin
            policy: {{policy}}
            claims:
              - { metric: ttft_mean, expect: lower }
        """;

    private void Write(string name, string text) => File.WriteAllText(Path.Combine(_folder.FullName, name), text);

    private Task<int> InvokeAsync(params string[] arguments) =>
        ReplayVerb.Create().Parse(arguments).InvokeAsync(new InvocationConfiguration { Output = _output, Error = _error });
}
