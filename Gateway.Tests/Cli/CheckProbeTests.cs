using System.Globalization;
using Gateway.Cli;
using Gateway.Cli.Probes;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Spectre.Console;

namespace Gateway.Tests.Cli;

/// <summary><c>check --probe</c> against engines on real sockets.</summary>
public sealed class CheckProbeTests : IDisposable
{
    private readonly string _path = Path.GetTempFileName();

    public void Dispose() => File.Delete(_path);

    [Fact]
    public async Task Probe_OfEnginesThatFit_ShowsThemAndExitsWithZero()
    {
        await using var engine = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { MaxModelTokens = 4_096 }, default);

        var (code, output) = await RunAsync("demo", engine.Uri);

        Assert.Equal(0, code);
        Assert.Matches($@"\| demo +\| {engine.Uri.Authority} +\| yes +\| vllm 0.19.0 +\| yes +\| yes +\| 4096 +\|\n", output);
        Assert.DoesNotContain("clock", output, StringComparison.Ordinal);
        Assert.EndsWith("1 replica probed, nothing to fix.\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void Table_OfAnEngineThatTellsItsPriorityAndClock_ShowsThem()
    {
        var probed = new ProbedReplica
        {
            Id = "gpu-a",
            Model = new ModelOptions { Name = "demo" },
            Options = new ReplicaOptions(),
            Kind = EngineKind.SgLang,
            Health = EngineReading.Of(EngineReport.Empty),
            Facts = EngineReading.Of(EngineReport.Empty with { Priority = EnginePriority.HigherFirst }),
            ClockSkewSeconds = 60,
        };
        var output = new StringWriter { NewLine = "\n" };

        ProbeTable.Write(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }), [probed]);

        Assert.Matches(@"\| context +\| priority +\| clock +\|", output.ToString());
        Assert.Matches(@"\| higherFirst +\| \+60 s +\|", output.ToString());
    }

    [Fact]
    public async Task Probe_OfADeadAWrongAndABlindOne_SaysWhatToFixAndExitsWithOne()
    {
        var gone = await SimulatedEngine.StartAsync(new SimulatedEngineOptions(), default);
        await using var other = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Models = ["qwen"] }, default);
        await using var blind = new ScriptedEngine(call => call.JsonAsync("{}"));
        var dead = gone.Uri;
        await gone.DisposeAsync();

        var (code, output) = await RunAsync("demo", dead, other.Uri, blind.Uri);

        Assert.Equal(1, code);
        Assert.Contains($"  {dead.Authority}: it cannot be used: ConnectionError on /v1/models", output, StringComparison.Ordinal);
        Assert.Contains($"  {other.Uri.Authority}: it serves qwen, not demo. Write upstreamModel: qwen, or correct the url.", output, StringComparison.Ordinal);
        Assert.Contains($"  {blind.Uri.Authority}: its metrics cannot be read: 404 on /metrics. Start it without --disable-log-stats", output, StringComparison.Ordinal);
        Assert.EndsWith("3 replicas probed, 3 things to fix.\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Probe_OfAnEngineWhoseNamesSteerTerminals_ShowsThemAsOnePlainLine()
    {
        await using var engine = new ScriptedEngine(call => call.JsonAsync("{}"), models: [@"\u001b]0;title\u0007red\nsecond line"]);

        var (code, output) = await RunAsync("demo", engine.Uri);

        Assert.Equal(1, code);
        Assert.Contains($"  {engine.Uri.Authority}: it serves ?]0;title?red?second line, not demo.", output, StringComparison.Ordinal);
        Assert.DoesNotContain(output, c => char.IsControl(c) && c != '\n');
    }

    [Fact]
    public async Task Probe_WithABadFile_AsksNobodyAndExitsWithTwo()
    {
        var (code, output) = await RunAsync("");

        Assert.Equal((2, ""), (code, output));
    }

    private async Task<(int Code, string Output)> RunAsync(string model, params Uri[] engines)
    {
        var replicas = string.Join(", ", engines.Select(engine => engine.GetLeftPart(UriPartial.Authority)));
        await File.WriteAllTextAsync(_path, string.Create(CultureInfo.InvariantCulture, $"models:\n  - {{ name: \"{model}\", replicas: [{replicas}] }}\n"));
        var (code, output, _) = await VerbRun.RunAsync(CheckVerb.Create(), "--config", _path, "--probe");
        return (code, output);
    }
}
