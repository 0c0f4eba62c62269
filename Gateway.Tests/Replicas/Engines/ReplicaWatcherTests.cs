using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines;

public sealed class ReplicaWatcherTests
{
    private static readonly ResilienceOptions Options = new();

    private readonly ManualTime _time = new();
    private readonly RecordingLog<ReplicaWatcher> _log = new();
    private readonly Replica _replica;
    private bool _isMakingProgress;

    public ReplicaWatcherTests()
    {
        _replica = new Replica(new ReplicaOptions { Url = CannedEngine.Address }, CannedEngine.Address, "engine:8000", 0, new FaultLimits(5, TimeSpan.FromSeconds(10)), _time);
    }

    [Fact]
    public async Task ProbeAsync_OnAHealthyEngine_BringsItUpWithItsRoomKnown()
    {
        var engine = Pages.Vllm();
        var roomWhenUp = new List<long?>();
        _replica.RoomReturned += () =>
        {
            if (_replica.Health == ReplicaHealth.Up)
            {
                roomWhenUp.Add(_replica.Report.KvCapacityTokens);
            }
        };

        await Watch(engine).ProbeAsync(default);

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
        Assert.Equal((EngineKind.Vllm, 32_000L, 3), (_replica.Report.Engine, _replica.Report.KvCapacityTokens, _replica.Report.RunningRequests));
        Assert.Equal([32_000L], roomWhenUp);
        Assert.Contains(_log.Lines, line => line.Level == LogLevel.Information && line.Text.Contains("up: vllm 0.11.2", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ProbeAsync_WhenProbesFailInARow_TakesDownAtTheLimitAndUpAtTheFirstSuccess()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.IsGone = true;

        var seen = new List<ReplicaHealth>();
        for (var i = 0; i < Options.Health.Failures; i++)
        {
            await watcher.ProbeAsync(default);
            seen.Add(_replica.Health);
        }
        engine.IsGone = false;
        await watcher.ProbeAsync(default);

        Assert.Equal([ReplicaHealth.Up, ReplicaHealth.Up, ReplicaHealth.Down], seen);
        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenFailuresAreNotInARow_LeavesItUp()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);

        for (var i = 0; i < 10; i++)
        {
            engine.With("/health", "", i % 3 == 2 ? 200 : 503);
            await watcher.ProbeAsync(default);
        }

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenHealthIsSlowWhileTheEngineSteps_LeavesItUp()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.WithSilence("/health");

        for (var i = 1; i <= 10; i++)
        {
            engine.With("/metrics", Pages.VllmMetrics(steps: 4_100 + i));
            await ProbeInVainAsync(watcher);
        }

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenNobodyAnswers_SaysSoAndEndsWhatWaitsThere()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.WithSilence("/health");
        var before = _replica.IsHung(TimeSpan.FromSeconds(1), isStream: true);

        for (var i = 0; i < Options.Health.Failures; i++)
        {
            await ProbeInVainAsync(watcher);
        }

        Assert.Equal((ReplicaHealth.Down, "no answer to /health within 5 s"), (_replica.Standing.Health, _replica.Standing.Reason));
        Assert.Equal((false, true), (before, _replica.IsHung(TimeSpan.FromSeconds(1), isStream: true)));
    }

    [Fact]
    public async Task ProbeAsync_WhenTheEngineIsGone_SaysSoAndLeavesItsAnswersToTheirConnections()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.IsGone = true;

        for (var i = 0; i < Options.Health.Failures; i++)
        {
            await watcher.ProbeAsync(default);
        }

        Assert.Contains("/health", _replica.Standing.Reason, StringComparison.Ordinal);
        Assert.False(_replica.IsHung(TimeSpan.FromSeconds(1), isStream: true));
    }

    [Fact]
    public async Task Watcher_OfAReplicaThatIsSuspended_WarnsOncePerPause()
    {
        await using var watcher = Watch(Pages.Vllm());

        for (var i = 0; i < 8; i++)
        {
            _replica.OnFault();
        }

        var line = Assert.Single(_log.Lines);
        Assert.Equal((LogLevel.Warning, "replica engine:8000 gets no work for a while (Suspended): 5 faults in a row"), line);
    }

    [Fact]
    public async Task ProbeAsync_WhenProgressShowsBetweenFailures_CountsThemAnew()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        _isMakingProgress = true;

        for (var i = 0; i < 4; i++)
        {
            engine.With("/health", "", 503);
            await watcher.ProbeAsync(default);
            engine.WithSilence("/health");
            await ProbeInVainAsync(watcher);
        }

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenHealthIsSlowWhileOurStreamsGrow_LeavesItUp()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.WithSilence("/health").With("/metrics", "", 404);
        _isMakingProgress = true;

        for (var i = 0; i < 10; i++)
        {
            await ProbeInVainAsync(watcher);
        }
        var whileGrowing = _replica.Health;
        _isMakingProgress = false;
        for (var i = 0; i < Options.Health.Failures; i++)
        {
            await ProbeInVainAsync(watcher);
        }

        Assert.Equal(ReplicaHealth.Up, whileGrowing);
        Assert.Equal(ReplicaHealth.Down, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenTheEngineStandsStillUnderLoad_TakesItDownUntilItSteps()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);

        var seen = new List<ReplicaHealth>();
        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await watcher.ReadLoadAsync(default);
            await watcher.ProbeAsync(default);
            seen.Add(_replica.Health);
        }
        engine.With("/metrics", Pages.VllmMetrics(steps: 4_101));
        await watcher.ReadLoadAsync(default);
        await watcher.ProbeAsync(default);

        Assert.Equal(15, seen.IndexOf(ReplicaHealth.Down));
        Assert.Equal(ReplicaHealth.Down, seen[^1]);
        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenAnIdleEngineStandsStill_LeavesItUp()
    {
        var watcher = Watch(Pages.Vllm(metrics: Pages.VllmMetrics(running: 0)));
        await watcher.ProbeAsync(default);

        for (var i = 0; i < 30; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await watcher.ReadLoadAsync(default);
        }
        await watcher.ProbeAsync(default);

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
    }

    [Theory]
    [InlineData("other", ReplicaHealth.WrongModel)]
    [InlineData("llama-8b", ReplicaHealth.WrongModel)]
    [InlineData("alias", ReplicaHealth.WrongModel)]
    [InlineData("weights/llama", ReplicaHealth.Up)]
    public async Task ProbeAsync_OnAStrictEngine_WantsTheNameThatItIsAskedFor(string served, ReplicaHealth expected)
    {
        var model = new ModelOptions { Name = "llama-8b", Aliases = ["alias"], UpstreamModel = "weights/llama" };

        await Watch(Pages.Vllm(served), model).ProbeAsync(default);

        Assert.Equal(expected, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_WhenTheAddressIsReusedByAnotherModel_FindsOut()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.With("/v1/models", """{"data":[{"id":"other","owned_by":"vllm"}]}""");

        for (var i = 0; i < 5; i++)
        {
            await watcher.ProbeAsync(default);
        }

        Assert.Equal(ReplicaHealth.WrongModel, _replica.Health);
    }

    [Fact]
    public async Task ProbeAsync_OnAnEngineThatServesAnyName_OnlyWarns()
    {
        await Watch(Pages.SgLang()).ProbeAsync(default);

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
        Assert.Single(_log.Lines, line => line.Level == LogLevel.Warning && line.Text.Contains("does not list llama-8b", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("llama3", 0)]
    [InlineData("phi:3b", 0)]
    [InlineData("phi", 1)]
    public async Task ProbeAsync_OnOllama_TakesAMissingTagForLatestAndWarnsOfOthers(string model, int warnings)
    {
        await Watch(Pages.Ollama(), new ModelOptions { Name = model }).ProbeAsync(default);

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
        Assert.Equal(warnings, _log.Lines.Count(line => line.Level == LogLevel.Warning && line.Text.Contains($"does not list {model}", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(EngineKind.Auto, 1)]
    [InlineData(EngineKind.OpenAi, 0)]
    public async Task ProbeAsync_WhereNothingLooksLikeAModelServer_WarnsOnceUnlessToldThatItIsOne(EngineKind configured, int warnings)
    {
        var watcher = Watch(new CannedEngine(), new ModelOptions { Name = "m", Engine = configured });

        for (var i = 0; i < 12; i++)
        {
            await watcher.ProbeAsync(default);
        }

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
        Assert.Equal(warnings, _log.Lines.Count(line => line.Level == LogLevel.Warning && line.Text.Contains("404 on /v1/models", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task ProbeAsync_WhenTheKeyIsRefused_TakesDownAndNamesTheVariableNotTheKey()
    {
        var model = new ModelOptions { Name = "llama-8b", ApiKeyEnv = "ENGINE_KEY" };
        var engine = Pages.Vllm().With("/v1/models", "{}", 401);

        await Watch(engine, model, apiKey: "sk-very-secret").ProbeAsync(default);

        Assert.Equal(ReplicaHealth.Down, _replica.Health);
        Assert.Contains(_log.Lines, line => line.Text.Contains("ENGINE_KEY", StringComparison.Ordinal));
        Assert.DoesNotContain(_log.Lines, line => line.Text.Contains("sk-very-secret", StringComparison.Ordinal));
        Assert.All(engine.Asked, question => Assert.Equal("Bearer sk-very-secret", question.Authorization));
    }

    [Fact]
    public async Task ProbeAsync_WhenClientsBringTheKey_LeavesItUpAndSaysSoOnce()
    {
        var engine = Pages.Vllm().With("/v1/models", "{}", 401);
        var watcher = Watch(engine);

        for (var i = 0; i < 12; i++)
        {
            await watcher.ProbeAsync(default);
        }

        Assert.Equal(ReplicaHealth.Up, _replica.Health);
        Assert.Single(_log.Lines, line => line.Text.Contains("apiKeyEnv", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ProbeAsync_WhenAnotherEngineComesBack_DetectsItAnew()
    {
        var gone = Pages.Vllm();
        var engine = new CannedEngine();
        foreach (var path in new[] { "/health", "/version", "/v1/models", "/metrics" })
        {
            engine.With(path, gone.AnswerAsync(path));
        }
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.IsGone = true;
        for (var i = 0; i < Options.Health.Failures; i++)
        {
            await watcher.ProbeAsync(default);
        }

        engine.IsGone = false;
        engine.With("/v1/models", """{"data":[{"id":"x","owned_by":"llamacpp"}]}""").With("/metrics", "", 404)
            .With("/props", """{"default_generation_settings":{"n_ctx":512},"total_slots":2}""");
        await watcher.ProbeAsync(default);

        Assert.Equal((ReplicaHealth.Up, EngineKind.LlamaCpp), (_replica.Health, _replica.Report.Engine));
        Assert.Equal((1_024L, 2, (int?)null), (_replica.Report.KvCapacityTokens, _replica.Report.Slots, _replica.Report.RunningRequests));
    }

    [Fact]
    public async Task Start_WhenAStepThrows_LogsAndGoesOn()
    {
        var engine = Pages.Vllm().With("/health", _ => throw new InvalidOperationException("surprise"));
        await using var watcher = Watch(engine);
        watcher.Start();

        var twice = engine.AskedAsync("/health", 2);
        await _time.AdvanceUntilAsync(twice, TimeSpan.FromMilliseconds(100), "a second probe");

        Assert.Contains(_log.Lines, line => line.Level == LogLevel.Error && line.Text.Contains("surprise", StringComparison.Ordinal));
    }

    [Fact]
    public async Task DisposeAsync_WithAQuestionOpen_EndsAtOnce()
    {
        var engine = new CannedEngine().WithSilence("/v1/models");
        var watcher = Watch(engine);
        watcher.Start();
        await engine.AskedAsync("/v1/models").WaitAsync(TimeSpan.FromSeconds(20));

        await watcher.DisposeAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(0, _time.ActiveTimers);
        Assert.DoesNotContain(_log.Lines, line => line.Level == LogLevel.Error);
    }

    private ReplicaWatcher Watch(CannedEngine engine, ModelOptions? model = null, string? apiKey = null) =>
        new(_replica, model ?? new ModelOptions { Name = "llama-8b" }, Options, engine.Access(_time, apiKey), _ => _isMakingProgress, new Random(1), _log);

    /// <summary>A probe that gets no answer, while the load is read beside it.</summary>
    private async Task ProbeInVainAsync(ReplicaWatcher watcher)
    {
        var probe = watcher.ProbeAsync(default);
        _time.Advance(TimeSpan.FromSeconds(1));
        await watcher.ReadLoadAsync(default);
        _time.Advance(Options.Health.Timeout);
        // Down, it is first asked what it is: that answers, and the health call behind it waits anew.
        if (!probe.IsCompleted)
        {
            _time.Advance(Options.Health.Timeout);
        }
        await probe;
    }
}
