using System.Net;
using System.Net.Sockets;
using Gateway.Cli.Probes;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Tests.Fakes;
using Gateway.Tests.Replicas.Engines;
using Spectre.Console;

namespace Gateway.Tests.Cli.Probes;

public class FleetProbeTests
{
    private static readonly ModelOptions Llama = new() { Name = "llama-8b", Replicas = [new() { Url = CannedEngine.Address }] };

    private readonly ManualTime _time = new();

    [Fact]
    public async Task Findings_OfAnEngineThatFits_AreNone()
    {
        var probed = await AskAsync(Pages.Vllm(), Llama);

        Assert.Empty(ProbeRules.Of(probed));
        Assert.True(probed.Answers);
        Assert.Equal((EngineKind.Vllm, true), (probed.Kind, ProbeRules.Serves(probed)));
    }

    [Fact]
    public async Task Findings_OfADeadEngine_SayHowItFailed()
    {
        var finding = Assert.Single(await FindingsAsync(new CannedEngine { IsGone = true }, Llama));

        Assert.True(finding.MustBeFixed);
        Assert.Contains("ConnectionError", finding.What, StringComparison.Ordinal);
        Assert.Contains("url", finding.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Findings_OfAnEngineThatLoads_SayThatItCannotBeUsed()
    {
        var finding = Assert.Single(await FindingsAsync(Pages.Vllm().With("/health", "", 503), Llama));

        Assert.Equal((true, "it cannot be used: 503 on /health"), (finding.MustBeFixed, finding.What));
    }

    [Fact]
    public async Task Findings_OfAnotherModel_NameTheOneThatIsThere()
    {
        var finding = Assert.Single(await FindingsAsync(Pages.Vllm("qwen"), Llama));

        Assert.Equal(new ProbeFinding(true, "it serves qwen, sql-adapter, not llama-8b", "Write upstreamModel: qwen, or correct the url."), finding);
    }

    [Theory]
    [InlineData("llama-8b", "Leave upstreamModel out, or correct the url.")]
    [InlineData("short", "Write upstreamModel: short, or correct the url.")]
    public async Task Findings_OfAnUpstreamModelThatIsNotServed_NameTheOneThatIs(string served, string fix)
    {
        var model = Llama with { Aliases = ["short"], UpstreamModel = "org/llama" };

        var finding = Assert.Single(await FindingsAsync(Pages.Vllm(served), model));

        Assert.Equal(new ProbeFinding(true, $"it serves {served}, sql-adapter, not org/llama", fix), finding);
    }

    [Fact]
    public async Task Findings_OfAnotherModelWhereAnyNameIsTaken_AreWorthALook()
    {
        var findings = await FindingsAsync(Pages.SgLang(), Llama with { Name = "another" });

        Assert.Contains(findings, finding => finding is { MustBeFixed: false } && finding.What.EndsWith("not another", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Findings_WithoutMetrics_NameTheSwitchOfTheEngine()
    {
        var finding = Assert.Single(await FindingsAsync(Pages.Vllm().With("/metrics", "", 404), Llama));

        Assert.True(finding.MustBeFixed);
        Assert.Contains("--disable-log-stats", finding.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Findings_WithoutMetricsButWithSlots_AreWorthALook()
    {
        var model = Llama with { Replicas = [new() { Url = CannedEngine.Address, Slots = 8 }] };

        var finding = Assert.Single(await FindingsAsync(Pages.Vllm().With("/metrics", "", 404), model));

        Assert.False(finding.MustBeFixed);
    }

    [Fact]
    public async Task Findings_OfAPrefixCacheThatIsOff_NameTheSwitchOfTheEngine()
    {
        var vllm = Pages.Vllm(metrics: Pages.VllmMetrics().Replace("block_size=", "enable_prefix_caching=\"False\",block_size=", StringComparison.Ordinal));
        var sglang = Pages.SgLang().With("/get_server_info", """{"model_path":"m","version":"0.5.2","disable_radix_cache":true,"context_length":8192}""");

        var findings = new[] { Assert.Single(await FindingsAsync(vllm, Llama)), (await FindingsAsync(sglang, Llama)).Single(finding => finding.What.Contains("prefix cache", StringComparison.Ordinal)) };

        Assert.All(findings, finding => Assert.False(finding.MustBeFixed));
        Assert.Contains("--enable-prefix-caching", findings[0].Fix, StringComparison.Ordinal);
        Assert.Contains("--disable-radix-cache", findings[1].Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Findings_OfAnotherKindThanConfigured_NameIt()
    {
        var findings = await FindingsAsync(Pages.Vllm(), Llama with { Engine = EngineKind.LlamaCpp });

        Assert.Contains(findings, finding => finding is { MustBeFixed: true, What: "engine is llamacpp, but vllm answers" });
    }

    [Fact]
    public async Task Findings_OfALongerContextThanThereIs_NameTheRealOne()
    {
        var findings = await FindingsAsync(Pages.Vllm(), Llama with { ContextTokens = 1_000_000 });

        Assert.Contains(findings, finding => finding is { MustBeFixed: true } && finding.What.StartsWith("contextTokens is 1000000, but its context is ", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("false", EnginePriority.HigherFirst, true)]
    [InlineData("true", EnginePriority.LowerFirst, true)]
    [InlineData("true", EnginePriority.HigherFirst, false)]
    [InlineData("true", EnginePriority.Auto, false)]
    [InlineData("false", EnginePriority.Off, false)]
    public async Task Findings_OfPriorityScheduling_ComeWhereItDiffersFromTheConfiguration(string enabled, EnginePriority wanted, bool mustBeFixed)
    {
        var engine = Pages.SgLang().With("/get_server_info", $$"""{"model_path":"m","version":"0.5.2","enable_priority_scheduling":{{enabled}},"context_length":8192}""");

        var findings = await FindingsAsync(engine, Llama with { EnginePriority = wanted });

        Assert.Equal(mustBeFixed, findings.Any(finding => finding.MustBeFixed && finding.What.StartsWith("enginePriority", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Findings_OfPriorityThatNobodyTells_AskToMakeSure()
    {
        var finding = Assert.Single(await FindingsAsync(Pages.Vllm(), Llama with { EnginePriority = EnginePriority.LowerFirst }));

        Assert.False(finding.MustBeFixed);
        Assert.Contains("--scheduling-policy priority", finding.Fix, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Findings_OfAKeyThatIsRefused_NameItsVariableAndNotTheKey()
    {
        var engine = new CannedEngine().With("/v1/models", "", 401).With("/health", "", 401).With("/version", """{"version":"0.10"}""");

        var findings = await FindingsAsync(engine, Llama with { ApiKeyEnv = "ENGINE_KEY" }, apiKey: "planted");

        var finding = Assert.Single(findings, finding => finding.MustBeFixed);
        Assert.Contains("ENGINE_KEY", finding.Fix, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", finding.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Findings_OfOllamaWithoutSlots_AskForThemAndItsContext()
    {
        var findings = await FindingsAsync(Pages.Ollama(), Llama with { Name = "unloaded" });

        Assert.All(findings, finding => Assert.False(finding.MustBeFixed));
        Assert.Contains(findings, finding => finding.Fix.Contains("OLLAMA_NUM_PARALLEL", StringComparison.Ordinal));
        Assert.Contains(findings, finding => finding.Fix == "Set contextTokens.");
    }

    [Theory]
    [InlineData(-120, "its clock is 120 s behind")]
    [InlineData(89, "its clock is 90 s ahead")]
    [InlineData(1, null)]
    public async Task Findings_OfAClock_SayWhichWayItIsOff(int seconds, string? expected)
    {
        var engine = Pages.Vllm().With("/health", _ => Task.FromResult(Dated(_time.GetUtcNow().AddSeconds(seconds))));

        var findings = await FindingsAsync(engine, Llama);

        Assert.Equal(expected, findings.SingleOrDefault()?.What);
    }

    [Theory]
    [InlineData(2, "same")]
    [InlineData(-2, "same")]
    [InlineData(-3, "-3 s")]
    public async Task Table_OfAClock_CallsTwoSecondsTheSame(int seconds, string expected)
    {
        var output = new StringWriter();
        var probed = (await AskAsync(Pages.Vllm(), Llama)) with { ClockSkewSeconds = seconds };

        // The column is there because of the second one.
        ProbeTable.Write(AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) }), [probed, probed with { ClockSkewSeconds = 60 }]);

        Assert.Contains($"| {expected} ", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ask_BehindAName_AsksEveryAddressOnce()
    {
        var model = Llama with { Replicas = [new() { Dns = new Uri("http://vllm:8000") }] };
        var names = new FixedNames([IPAddress.Parse("10.0.0.1"), IPAddress.Parse("10.0.0.2")]);

        var fleet = await new FleetProbe(Pages.Vllm().Access(_time), names).AskAsync(new GatewayOptions { Models = [model] }, default);

        Assert.Equal(["10.0.0.1:8000", "10.0.0.2:8000"], fleet.Select(probed => probed.Id));
    }

    [Fact]
    public async Task Ask_BehindANameThatDoesNotResolve_HasALineForTheName()
    {
        var model = Llama with { Replicas = [new() { Dns = new Uri("http://vllm:8000") }] };

        var fleet = await new FleetProbe(new CannedEngine { IsGone = true }.Access(_time), new FixedNames(null)).AskAsync(new GatewayOptions { Models = [model] }, default);

        Assert.Equal("vllm:8000", Assert.Single(fleet).Id);
    }

    private async Task<ProbeFinding[]> FindingsAsync(CannedEngine engine, ModelOptions model, string? apiKey = null) => [.. ProbeRules.Of(await AskAsync(engine, model, apiKey))];

    private async Task<ProbedReplica> AskAsync(CannedEngine engine, ModelOptions model, string? apiKey = null) =>
        Assert.Single(await new FleetProbe(engine.Access(_time, apiKey), new FixedNames([])).AskAsync(new GatewayOptions { Models = [model] }, default));

    private static HttpResponseMessage Dated(DateTimeOffset at)
    {
        var response = new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("{}") };
        response.Headers.Date = at;
        return response;
    }

    private sealed class FixedNames(IReadOnlyList<IPAddress>? addresses) : INameResolver
    {
        public Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellationToken) =>
            addresses is null ? throw new SocketException((int)SocketError.TryAgain) : Task.FromResult(addresses);
    }
}
