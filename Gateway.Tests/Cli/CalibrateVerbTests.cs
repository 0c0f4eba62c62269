using System.CommandLine;
using System.Globalization;
using System.Text;
using Gateway.Cli;
using Gateway.Cli.Profiles;
using Gateway.Simulation;
using Gateway.Simulation.Serving;
using Gateway.Tests.Replay.Calibration;
using Gateway.Tests.Replay.Traces;
using Xunit.Abstractions;

namespace Gateway.Tests.Cli;

public sealed class CalibrateVerbTests(ITestOutputHelper log) : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("calibrate").FullName;

    private string Out => Path.Combine(_folder, "fitted.yaml");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "either --url URL or --log FILE")]
    [InlineData("--url http://localhost:1 --log x", "either --url URL or --log FILE")]
    [InlineData("--url", "argument missing for option: '--url'")]
    [InlineData("--url http://localhost:1 --out", "argument missing for option: '--out'")]
    [InlineData("--log x --log y", "'--log' expects a single argument but 2 were provided")]
    [InlineData("--url http://localhost:1 --api-key-env A --api-key-env B", "'--api-key-env' expects a single argument but 2 were provided")]
    [InlineData("--url nowhere", "Write it like http://10.0.0.11:8000")]
    [InlineData("--url http://localhost:1 --requests 0", "5 to 100000")]
    [InlineData("--url http://localhost:1 --requests many", "5 to 100000")]
    [InlineData("--url http://localhost:1 --seconds 0", "1 to 86400")]
    [InlineData("--log x --seconds 60", "--seconds: has a meaning only with --url URL")]
    [InlineData("--log x --out ./x", "is read or written by this very run")]
    [InlineData("--log x --out no/such/folder/p.yaml", "a folder that exists")]
    [InlineData("--url http://localhost:1 --api-key-env NO_SUCH_VARIABLE_HERE", "no environment variable")]
    public void Parse_OfABadFlag_SaysWhatIsAllowed(string flags, string expected)
    {
        var parsed = new RootCommand { CalibrateVerb.Create() }.Parse("calibrate " + flags);

        Assert.Contains(parsed.Errors, error => error.Message.Contains(expected, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Invoke_OnAnUnreachableEngine_Is1AndWritesNothing()
    {
        var (code, _, error) = await RunAsync("--url http://127.0.0.1:9");

        Assert.Equal(1, code);
        Assert.Contains("cannot be reached", error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Theory]
    [InlineData("", "--api-key-env")]
    [InlineData("--model nope", "--api-key-env")]
    public async Task Invoke_OnAnEngineThatWantsAKey_SaysHowToNameIt(string flags, string expected)
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { ApiKey = "secret" }, default);

        var (code, _, error) = await RunAsync($"--url {engine.Uri} {flags}");

        Assert.Equal(1, code);
        Assert.Contains(expected, error, StringComparison.Ordinal);
        Assert.Contains("401", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_WithAModelThatIsNotServed_NamesThoseThatAre()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Models = ["one", "two"] }, default);

        var (code, _, error) = await RunAsync($"--url {engine.Uri} --model three");

        Assert.Equal(1, code);
        Assert.Contains("It serves: one, two", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_OnAnEngineThatRefusesEveryRequest_SaysWhyAndWritesNothing()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Faults = new EngineFaults { FailRate = 1 } }, default);

        var (code, _, error) = await RunAsync($"--url {engine.Uri}");

        Assert.Equal(1, code);
        Assert.Contains("500", error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Invoke_WithASmallBudget_KeepsToItAndTellsTheEnginesLimits()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 4, KvBlocks = 700, MaxModelTokens = 1_024, RecordedRequests = 100 }, default);

        var (code, output, error) = await RunAsync($"--url {engine.Uri} --requests 30");

        Assert.True(code == 0, error);
        Assert.InRange(engine.Journal.Requests.Count(request => request.Method == "POST"), 5, 30);
        var profile = ProfileSource.Load(Out).Options!;
        Assert.Equal((700, 16, 1_024, "fitted"), (profile.KvBlocks, profile.BlockTokens, profile.MaxModelTokens, profile.Name));
        Assert.Contains("KV room: 700 blocks of 16 tokens", output, StringComparison.Ordinal);
        Assert.Equal([Out], Directory.GetFiles(_folder));
    }

    [Fact]
    public async Task Invoke_OnABrokenLog_NamesTheLineAndIs2()
    {
        var path = Path.Combine(_folder, "access.log");
        await File.WriteAllTextAsync(path, """{"time":"2026-01-31T10:00:00.000Z","outcome":"refused"}""" + "\nnot json\n{\"time\":1}\n");

        var (code, _, error) = await RunAsync($"--log {path}");

        Assert.Equal(2, code);
        Assert.Contains("access.log:2: not valid JSON", error, StringComparison.Ordinal);
        Assert.Contains("access.log:3: outcome is missing", error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
    }

    [Theory]
    [InlineData("\"queue_ms\":-5", "queue_ms is -5. Allowed: a number of at least 0.")]
    [InlineData("\"queue_ms\":\"five\"", "queue_ms is a text. Allowed: a number of at least 0.")]
    [InlineData("\"queue_ms\":36", "the figures do not fit each other. Allowed: ttft_ms of at least queue_ms")]
    public async Task Invoke_OnALogWithAWrongFigure_NamesTheLineAndWhatIsAllowed(string figure, string expected)
    {
        var path = Path.Combine(_folder, "access.log");
        await File.WriteAllTextAsync(path, LogLines().Replace("\"queue_ms\":5", figure, StringComparison.Ordinal));

        var (code, _, error) = await RunAsync($"--log {path}");

        Assert.Equal(2, code);
        Assert.Contains("access.log:1: " + expected, error, StringComparison.Ordinal);
        Assert.False(File.Exists(Out));
    }

    [Fact]
    public async Task Invoke_OnALogThatIsNotThere_SaysSo()
    {
        var (code, _, error) = await RunAsync($"--log {Path.Combine(_folder, "none.log")}");

        Assert.Equal(2, code);
        Assert.Contains("none.log: cannot be read (no such file).", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_OnACompressedLog_FitsItWholeAndRefusesItCutOff()
    {
        var path = Path.Combine(_folder, "access.log.gz");
        var whole = TraceReading.Packed(Encoding.UTF8.GetBytes(LogLines()));

        await File.WriteAllBytesAsync(path, whole[..^9]);
        var (cut, _, error) = await RunAsync($"--log {path}");
        var wasWritten = File.Exists(Out);
        await File.WriteAllBytesAsync(path, whole);
        var (code, output, _) = await RunAsync($"--log {path}");

        Assert.Equal((2, false, 0), (cut, wasWritten, code));
        Assert.Contains("access.log.gz:41: the compressed file is damaged or cut off here.", error, StringComparison.Ordinal);
        Assert.Contains("40 answered streams", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_OnALog_FitsWhatItTells()
    {
        var path = Path.Combine(_folder, "access.log");
        await File.WriteAllTextAsync(path, LogLines() + "{\"time\":\"2026-01-31T1");

        var (code, output, error) = await RunAsync($"--log {path} --model m");

        Assert.True(code == 0, error);
        Assert.Contains("40 answered streams on 1 replica;", output, StringComparison.Ordinal);
        var step = new StepTime(ProfileSource.Load(Out).Options!).Milliseconds(new StepLoad(1, 1, 1, 300, 0, 0));
        Assert.InRange(step, 19, 21);
    }

    [Fact]
    public async Task Invoke_OnALogWithStoredResponsesReadAgain_LeavesThemOut()
    {
        var path = Path.Combine(_folder, "access.log");
        var readAgain = LogLines().Replace("{\"time\"", "{\"route\":\"/v1/responses/{id}\",\"time\"", StringComparison.Ordinal);
        await File.WriteAllTextAsync(path, LogLines() + readAgain);

        var (code, output, error) = await RunAsync($"--log {path}");

        Assert.True(code == 0, error);
        Assert.Contains("40 answered streams on 1 replica;", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Invoke_OnALogOfOneAnswer_SaysThatItIsAGuess()
    {
        var path = Path.Combine(_folder, "access.log");
        await File.WriteAllTextAsync(path, LogLines().Split('\n')[0] + "\n");

        var (code, output, error) = await RunAsync($"--log {path}");

        Assert.True(code == 0, error);
        Assert.DoesNotContain("±", output, StringComparison.Ordinal);
        Assert.Contains("Only 2 spans: this profile is a guess.", output, StringComparison.Ordinal);
        Assert.Contains("Only 2 spans", await File.ReadAllTextAsync(Out), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Category", "Long")]
    public async Task Invoke_OnASimulatedEngine_FitsAProfileThatPredictsTheGridWithinFivePercent()
    {
        var truth = EngineProfiles.Rtx4090Llama8B;
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Profile = truth }, default);

        var (code, output, error) = await RunAsync($"--url {engine.Uri}");

        log.WriteLine(output);
        Assert.True(code == 0, error);
        var median = ProfileFitterTests.MedianErrorOverGrid(truth, ProfileSource.Load(Out).Options!);
        log.WriteLine($"median error over the grid: {median:P2}");
        Assert.InRange(median, 0, 0.05);
    }

    private static string LogLines() => string.Concat(Enumerable.Range(0, 40).Select(i => string.Create(CultureInfo.InvariantCulture,
        $$"""{"time":"2026-01-31T10:{{i:00}}:00.000Z","outcome":"success","model":"m","replica":"r","queue_ms":5,"ttft_ms":{{35 + i}},"stream_ms":2000,"duration_ms":2100,"prompt_tokens":{{100 + (i * 10)}},"output_tokens":101,"retries":0}""") + "\n"));

    private async Task<(int Code, string Output, string Error)> RunAsync(string flags)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        var parsed = new RootCommand { CalibrateVerb.Create() }.Parse($"calibrate --out {Out} {flags}");
        Assert.Empty(parsed.Errors);
        var code = await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error });
        return (code, output.ToString(), error.ToString());
    }
}
