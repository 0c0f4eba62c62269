using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Tests.Fakes;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Replicas.Engines;

public sealed class ReplicaWatcherLoadTests
{
    private readonly ManualTime _time = new();
    private readonly RecordingLog<ReplicaWatcher> _log = new();
    private readonly Replica _replica;

    public ReplicaWatcherLoadTests()
    {
        _replica = new Replica(new ReplicaOptions { Url = CannedEngine.Address }, CannedEngine.Address, "engine:8000", 0, new FaultLimits(5, TimeSpan.FromSeconds(10)), _time);
    }

    [Fact]
    public async Task ReadLoadAsync_WhenItKeepsFailing_ForgetsTheLoadKeepsTheRoomAndTheHealth()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.With("/metrics", "", 500);

        var seen = new List<int?>();
        for (var i = 0; i < 4; i++)
        {
            await watcher.ReadLoadAsync(default);
            seen.Add(_replica.Report.RunningRequests);
        }

        Assert.Equal([3, 3, null, null], seen);
        Assert.Equal((32_000L, ReplicaHealth.Up), (_replica.Report.KvCapacityTokens, _replica.Health));
        Assert.Single(_log.Lines, line => line.Text.EndsWith("tells no load, the gateway's own counts are used: 500 on /metrics", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReadLoadAsync_WhileOneIsOpen_DoesNotAskAgainAndGivesUpAfterASecond()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.WithSilence("/metrics");
        var before = engine.TimesAsked("/metrics");

        var open = watcher.ReadLoadAsync(default);
        await watcher.ReadLoadAsync(default);
        var asked = engine.TimesAsked("/metrics") - before;
        _time.Advance(TimeSpan.FromSeconds(1));
        await open;

        Assert.Equal(1, asked);
    }

    [Fact]
    public async Task ReadLoadAsync_OfAnEngineThatWasStartedAnew_SaysSo()
    {
        var engine = Pages.Vllm();
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);
        engine.With("/metrics", Pages.VllmMetrics(steps: 2));

        await watcher.ReadLoadAsync(default);

        Assert.Single(_log.Lines, line => line.Level == LogLevel.Information && line.Text.EndsWith("its prefix cache is taken for empty", StringComparison.Ordinal));
    }

    [Fact]
    public async Task ReadLoadAsync_WhenMetricsAreOff_SaysSoOnce()
    {
        var engine = Pages.Vllm().With("/metrics", "", 404);
        var watcher = Watch(engine);
        await watcher.ProbeAsync(default);

        for (var i = 0; i < 5; i++)
        {
            await watcher.ReadLoadAsync(default);
        }

        Assert.Single(_log.Lines, line => line.Text.Contains("tells no load", StringComparison.Ordinal));
        Assert.Null(_replica.Report.RunningRequests);
    }

    private ReplicaWatcher Watch(CannedEngine engine) =>
        new(_replica, new ModelOptions { Name = "llama-8b" }, new ResilienceOptions(), engine.Access(_time), _ => false, new Random(1), _log);
}
