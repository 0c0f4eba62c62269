using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>The program as an operator runs it: how it starts, follows its file, and stops.</summary>
public class ProcessTests
{
    [Fact]
    public async Task Stop_WithOpenStreams_LetsThemFinishAndRefusesNewOnes()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions(), CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri]);
        var open = new List<OpenChat>();
        for (var i = 0; i < 10; i++)
        {
            open.Add(await served.OpenAsync($"{i}, answer with 300 tokens"));
        }

        served.Process.Signal("TERM");
        await RefusedAsync(served);
        var replies = await Task.WhenAll(open.Select(chat => chat.ReadAsync()));
        var code = await served.Process.ExitAsync();

        Assert.All(replies, reply => Assert.Equal(ChatEnd.Done, reply.End));
        Assert.All(replies, reply => Assert.Equal(300, reply.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length));
        Assert.Equal(0, code);
    }

    [Fact]
    public async Task Stop_OfOneOfTwoGateways_DropsNothingAndTheOtherServesOn()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions(), CancellationToken.None);
        await using var old = await ServedFile.StartAsync([engine.Uri]);
        await using var upgraded = await ServedFile.StartAsync([engine.Uri]);
        var open = new List<OpenChat>();
        for (var i = 0; i < 5; i++)
        {
            open.Add(await old.OpenAsync($"{i}, answer with 300 tokens"));
        }

        old.Process.Signal("TERM");
        await RefusedAsync(old);
        for (var i = 5; i < 10; i++)
        {
            open.Add(await upgraded.OpenAsync($"{i}, answer with 300 tokens"));
        }
        var replies = await Task.WhenAll(open.Select(chat => chat.ReadAsync()));

        Assert.All(replies, reply => Assert.Equal(ChatEnd.Done, reply.End));
        Assert.All(replies, reply => Assert.Equal(300, reply.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length));
        Assert.Equal(0, await old.Process.ExitAsync());
        Assert.False(upgraded.Process.HasExited);
    }

    [Fact]
    public async Task Stop_WithAStreamLongerThanTheDrain_EndsInTimeAndSaysSo()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Faults = new() { StallAfterTokens = 3 } }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri], listenMore: ", drainTimeout: 300ms");
        using var chat = await served.OpenAsync("answer with 300 tokens");

        var since = TimeProvider.System.GetTimestamp();
        served.Process.Signal("TERM");
        var reply = await chat.ReadAsync().ComesAsync("the stream's end");
        var code = await served.Process.ExitAsync();

        Assert.Equal(ChatEnd.Error, reply.End);
        Assert.Equal(0, code);
        Assert.Contains("Stop asked for: running answers (1) have up to 0.3 s.", served.Process.Errors, StringComparison.Ordinal);
        Assert.Contains("Stopped; answers cut: 1.", served.Process.Errors, StringComparison.Ordinal);
        Assert.InRange(TimeProvider.System.GetElapsedTime(since).TotalSeconds, 0.3, 20);
        await Until.HoldsAsync(() => engine.Journal.Open == 0, "the engine is told");
    }

    [Fact]
    public async Task Stop_WithADelay_IsNotReadyAndServesUntilASecondSignal()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20 }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri], listenMore: ", stopDelay: 10m, drainTimeout: 0s");

        served.Process.Signal("TERM");
        await served.Process.LogsAsync("not ready any more");
        using var ready = await served.Client.GetAsync("/readyz");
        using var chat = await served.OpenAsync("answer with 3 tokens");
        var reply = await chat.ReadAsync();
        served.Process.Signal("TERM");

        Assert.Equal(503, (int)ready.StatusCode);
        Assert.Equal(ChatEnd.Done, reply.End);
        Assert.Equal(0, await served.Process.ExitAsync());
    }

    [Fact]
    public async Task Edit_AfterAStopWasAskedFor_ChangesNothing()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20 }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri], listenMore: ", stopDelay: 10m, drainTimeout: 0s");
        served.Process.Signal("TERM");
        await served.Process.LogsAsync("not ready any more");

        var yaml = await File.ReadAllTextAsync(served.File);
        await File.WriteAllTextAsync(served.File, yaml.Replace($"name: {GatewayWorld.Model}", "name: another", StringComparison.Ordinal));
        served.Process.Signal("HUP");
        for (var i = 0; i < 20; i++)
        {
            using var chat = await served.OpenAsync("answer with 20 tokens");
            Assert.Equal(ChatEnd.Done, (await chat.ReadAsync()).End);
        }
        served.Process.Signal("TERM");

        Assert.Equal(0, await served.Process.ExitAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Edit_GoodThenBadThenGood_IsFollowedWithoutAPause(bool hangsUp)
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20 }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri]);
        var port = served.Client.BaseAddress!.Port;

        await EditAsync(served, ServedFile.Yaml(port, [engine.Uri], "queue: { maxWaiting: 77 }"), hangsUp, "are in force");
        await EditAsync(served, ServedFile.Yaml(port, [engine.Uri], "queue: { maxWating: 78 }"), hangsUp, "A changed configuration was refused");
        var underBad = await served.Client.GetAsync("/readyz");
        using var status = JsonDocument.Parse(await served.Client.GetStringAsync("/-/status"));
        await EditAsync(served, ServedFile.Yaml(port, [engine.Uri], "mode: plain"), hangsUp, "are in force", times: 2);

        Assert.Equal(HttpStatusCode.OK, underBad.StatusCode);
        Assert.StartsWith($"{Path.GetFileName(served.File)}:6:10  queue.maxWating", Assert.Single(status.RootElement.GetProperty("config_reload").GetProperty("problems").EnumerateArray()).GetString(), StringComparison.Ordinal);
        Assert.Equal(Path.GetFileName(served.File), status.RootElement.GetProperty("settings").GetProperty("file").GetString());
        Assert.Contains($"{served.File}:6:10", served.Process.Errors, StringComparison.Ordinal);
        Assert.Contains("maxWaiting", served.Process.Errors, StringComparison.Ordinal);
        Assert.Equal(2, await served.Client.MetricAsync("gateway_config_reloads_total", "outcome=\"applied\""));
        Assert.Equal(1, await served.Client.MetricAsync("gateway_config_reloads_total", "outcome=\"rejected\""));
    }

    [Fact]
    public async Task Serve_WithABadFile_ListsEveryMistakeAndExitsWith2()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "models:\n  - name: demo\n    replicas: [nonsense]\nqueue:\n  maxWait: soon\n");

        var (code, _, errors) = await GatewayProcess.RunAsync("serve", "--config", file);

        File.Delete(file);
        Assert.Equal(2, code);
        Assert.Contains($"{file}:3:", errors, StringComparison.Ordinal);
        Assert.Contains($"{file}:5:12", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_WithoutItsFile_SaysSoAndExitsWith2()
    {
        var (code, _, errors) = await GatewayProcess.RunAsync("serve", "--config", "no-such-file.yaml");

        Assert.Equal(2, code);
        Assert.Contains("no-such-file.yaml", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_OnATakenPort_SaysWhichAndExitsWith1()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, ServedFile.Yaml(port, [new Uri("http://127.0.0.1:9")]));

        var (code, _, errors) = await GatewayProcess.RunAsync("serve", "--config", file);

        File.Delete(file);
        Assert.Equal(1, code);
        Assert.Contains(port.ToString(System.Globalization.CultureInfo.InvariantCulture), errors, StringComparison.Ordinal);
        Assert.Contains("Stop what listens there, or choose another", errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Replay_OfAMatrixThatIsStopped_EndsWith1AndWritesNothing()
    {
        var folder = Directory.CreateTempSubdirectory();
        var (matrix, json) = (Path.Combine(folder.FullName, "matrix.yaml"), Path.Combine(folder.FullName, "out.json"));
        await File.WriteAllTextAsync(matrix, "baselines: [random]\nworkloads: [{ name: long, trace: \"w1:requests=100000\", limit: 100000 }]\n");

        await using var replay = GatewayProcess.Start("replay", "--matrix", matrix, "--json", json);
        // The head of the table comes before the first run.
        await Until.HoldsAsync(() => replay.Output.Contains("| workload |", StringComparison.Ordinal), "it runs");
        // Not INT: whoever runs the tests in the background of a shell has it ignored, and so would this process.
        replay.Signal("TERM");

        Assert.Equal(1, await replay.ExitAsync());
        Assert.Contains("Stopped before the end; no file was written.", replay.Errors, StringComparison.Ordinal);
        Assert.Single(folder.GetFiles());
        folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData("serve", "--config")]
    [InlineData("engine", "--port")]
    [InlineData("check", "--config")]
    public async Task Help_OfAVerb_NamesItsOptions(string verb, string option)
    {
        var (code, output, _) = await GatewayProcess.RunAsync(verb, "--help");

        Assert.Equal(0, code);
        Assert.Contains(option, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithAWrongOptionOfAVerb_SaysSoWithoutTheWholeHelp()
    {
        var (_, output, errors) = await GatewayProcess.RunAsync("engine", "--port", "nine");

        Assert.DoesNotContain("--scheduling-policy", output + errors, StringComparison.Ordinal);
        Assert.EndsWith("All options: gateway engine --help", errors.TrimEnd(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("frobnicate")]
    [InlineData("serve", "--no-such-option")]
    [InlineData("engine", "--port", "nine")]
    public async Task Start_WrongUsage_ExitsWith2(params string[] arguments)
    {
        var (code, _, errors) = await GatewayProcess.RunAsync(arguments);

        Assert.Equal(2, code);
        Assert.Contains(arguments[^1], errors, StringComparison.Ordinal);
    }

    private static async Task EditAsync(ServedFile served, string text, bool hangsUp, string log, int times = 1)
    {
        await File.WriteAllTextAsync(served.File, text);
        if (hangsUp)
        {
            served.Process.Signal("HUP");
        }
        await served.Process.LogsAsync(log, times);
    }

    [Fact]
    public async Task Serve_WhereNobodyReadsItsLog_AnswersOn()
    {
        // More lines than the pipe and the log's queue hold together.
        const int requests = 3_200;
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 1_000 }, CancellationToken.None);
        await using var served = await ServedFile.StartAsync([engine.Uri], environment: [("GATEWAY__TELEMETRY__LOGLEVEL", "debug")], isLogRead: false);
        var asked = 0;

        var clients = Enumerable.Range(0, 8).Select(async _ =>
        {
            while (Interlocked.Increment(ref asked) <= requests)
            {
                using var body = new StringContent(Chat.Body("answer with 1 tokens"), System.Text.Encoding.UTF8, "application/json");
                using var answer = await served.Client.PostAsync("/v1/chat/completions", body);
                Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            }
        });
        await Task.WhenAll(clients).ComesAsync("every answer", TimeSpan.FromMinutes(2));

        served.Process.Signal("TERM");
        Assert.Equal(0, await served.Process.ExitAsync());
    }

    private static async Task RefusedAsync(ServedFile served)
    {
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var look = 0; look < 400; look++)
        {
            using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false });
            try
            {
                using var answer = await client.GetAsync(new Uri(served.Client.BaseAddress!, "/livez"));
            }
            catch (HttpRequestException)
            {
                return;
            }
            await looks.WaitForNextTickAsync();
        }
        Assert.Fail("New connections were still taken after the stop.");
    }
}
