using System.Globalization;
using Gateway.Configuration;
using Gateway.Requests;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>Reloads, drains, replicas that come and go: while requests keep coming and streams stay open, and none of them may notice.</summary>
public class ChangeUnderLoadTests
{
    private const string Question = """{"model":"demo","messages":[]}""";

    private static readonly Func<SimulatedEngineOptions, int, SimulatedEngineOptions> Brisk = (engine, _) => engine with { Speed = 5 };

    [Fact]
    public async Task Reload_WithOtherSettingsAndReplicas_DropsNothing()
    {
        await using var world = await GatewayWorld.StartAsync(3, Brisk);
        await using var load = new SteadyLoad(world);

        for (var round = 0; round < 6; round++)
        {
            var engines = world.Engines.Where((_, i) => i != round % 3).ToArray();
            world.Server.Apply(GatewayWorld.OptionsFor(engines) with
            {
                Routing = new() { Policy = round % 2 == 0 ? "round_robin" : "least_work" },
                Queue = new() { MaxWaiting = 100 + round },
            });
            Assert.Equal(2, world.Pool.ReplicaList.Count);
            await load.MoreAsync(40);
        }

        await load.EndAsync();
    }

    [Fact]
    public async Task Reload_WithAnotherModel_ShowsItsErrorCountersBeforeItsFirstError()
    {
        await using var world = await GatewayWorld.StartAsync(1, Brisk);
        var before = world.Server.Core.Options;

        world.Server.Apply(before with { Models = [.. before.Models, before.Models[0] with { Name = "another" }] });

        var page = await world.Client.GetStringAsync("/metrics");
        Assert.Contains("gateway_refusals_total{model=\"another\",reason=\"no_healthy_replicas\"} 0\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Reload_WithAnotherModel_GivesItItsReplicasBeforeItsTenants()
    {
        GatewayServer? server = null;
        int? replicas = null;
        string KeyOf(string name)
        {
            replicas ??= server?.Core.Find("another")?.Pool.ReplicaList.Count;
            return "key";
        }
        await using var world = await GatewayWorld.StartAsync(
            1, Brisk, options => options with { Access = new() { Tenants = [new() { Name = "a", KeyEnv = ["A"] }] } }, new ServerSettings { Environment = KeyOf });
        server = world.Server;
        var before = server.Core.Options;

        server.Apply(before with { Models = [.. before.Models, before.Models[0] with { Name = "another" }] });

        // Its name is known from then on: without a replica it would be answered that none takes work.
        Assert.Equal(1, replicas);
    }

    [Fact]
    public async Task Reload_ThatReplacesEveryReplica_DropsNothing()
    {
        await using var world = await GatewayWorld.StartAsync(2, Brisk);
        world.Server.Apply(GatewayWorld.OptionsFor([world.Engines[0]]));
        await using var load = new SteadyLoad(world);

        for (var round = 0; round < 6; round++)
        {
            world.Server.Apply(GatewayWorld.OptionsFor([world.Engines[(round + 1) % 2]]));
            await load.MoreAsync(20);
        }

        await load.EndAsync();
    }

    // With the alias whoever waits is served by the model's successor; without it the name is nobody's.
    [Theory]
    [InlineData(true, 200)]
    [InlineData(false, 404)]
    public async Task Reload_ThatRenamesAModel_ServesWhoWaitsUnderTheOldName(bool keepsTheName, int status)
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = ScriptedEngine.HeldUntil(release.Task);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => GatewayWorld.WithModel(
            options, model => model with { Replicas = [model.Replicas[0] with { Slots = 1 }] }));
        var dispatcher = world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher;
        var running = world.PostAsync("/v1/chat/completions", Question);
        await Until.HoldsAsync(() => engine.Calls.Count == 1, "the first request is at the engine");
        var waiting = world.PostAsync("/v1/chat/completions", Question);
        await Until.HoldsAsync(() => dispatcher.Waiting(PriorityClass.Default) == 1, "the second request waits");

        world.Server.Apply(GatewayWorld.WithModel(
            world.Server.Core.Options, model => model with { Name = "renamed", UpstreamModel = GatewayWorld.Model, Aliases = keepsTheName ? [GatewayWorld.Model] : [] }));
        release.SetResult();

        using var served = await running.ComesAsync("the answer that ran");
        using var moved = await waiting.ComesAsync("the answer that was waited for");
        Assert.Equal(200, (int)served.StatusCode);
        Assert.Equal(status, (int)moved.StatusCode);
        Assert.Equal(0, await world.Client.MetricAsync("gateway_refusals_total"));
    }

    [Fact]
    public async Task Reload_ThatRenamesAModel_RepeatsAFailedAttemptAtItsSuccessor()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = 0;
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.ReadBodyAsync();
            if (Interlocked.Increment(ref calls) > 1)
            {
                await call.JsonAsync("""{"id":"c"}""");
                return;
            }
            await release.Task;
            call.Reset();
        });
        await using var world = await GatewayWorld.BeforeAsync([engine]);
        var running = world.PostAsync("/v1/chat/completions", Question);
        await Until.HoldsAsync(() => engine.Calls.Count == 1, "the request is at the engine");

        world.Server.Apply(GatewayWorld.WithModel(
            world.Server.Core.Options, model => model with { Name = "renamed", UpstreamModel = GatewayWorld.Model, Aliases = [GatewayWorld.Model] }));
        release.SetResult();

        using var answer = await running.ComesAsync("the answer");
        Assert.Equal(200, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Stop_AfterAReloadThatTookTheModelAway_TellsThatTheGatewayStops()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = ScriptedEngine.HeldUntil(release.Task);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Listen = options.Listen with { DrainTimeout = TimeSpan.FromMilliseconds(100) } });
        var running = world.PostAsync("/v1/chat/completions", Question);
        await Until.HoldsAsync(() => engine.Calls.Count == 1, "the request is at the engine");

        world.Server.Apply(GatewayWorld.WithModel(world.Server.Core.Options, model => model with { Name = "another" }));
        await world.Server.StopAsync(CancellationToken.None).ComesAsync("the stop");

        release.SetResult();
        using var answer = await running.ComesAsync("the answer");
        await ErrorAnswer.AssertAsync(answer, 503, "shutting_down");
    }

    [Fact]
    public async Task Drain_OfOneReplicaAfterAnother_DropsNothingAndMovesTheWork()
    {
        await using var world = await GatewayWorld.StartAsync(2, Brisk);
        await using var load = new SteadyLoad(world);

        for (var round = 0; round < 6; round++)
        {
            var replica = world.Pool.ReplicaList[round % 2];
            using var drained = await world.PostAsync($"/-/replicas/{replica.Id}/drain", "");
            Assert.Equal(200, (int)drained.StatusCode);
            await Until.HoldsAsync(() => replica.Snapshot().RunningRequests == 0, "the drained replica is idle");
            await load.MoreAsync(30);

            Assert.Equal(0, replica.Snapshot().RunningRequests);
            using var back = await world.PostAsync($"/-/replicas/{replica.Id}/undrain", "");
            Assert.Equal(200, (int)back.StatusCode);
        }

        await load.EndAsync();
    }

    [Fact]
    public async Task Serve_ReplicaThatLeaves_KeepsItsOpenStream()
    {
        await using var world = await GatewayWorld.StartAsync(2);
        using var chat = await world.OpenAsync("answer with 60 tokens");
        var left = world.Pool.Find(chat.Replica)!;

        world.Server.Apply(GatewayWorld.OptionsFor(world.Engines.Where(engine => engine.Uri.Port != left.Address.Port)));
        var reply = await chat.ReadAsync().ComesAsync("the stream's end");

        Assert.DoesNotContain(left, world.Pool.ReplicaList);
        Assert.Equal(ChatEnd.Done, reply.End);
        Assert.Equal(60, reply.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
        await Until.HoldsAsync(() => left.Snapshot() is { RunningRequests: 0, ReservedTokens: 0 }, "the room is returned");
    }

    [Fact]
    public async Task EditedFile_GoodThenBadThenGood_IsFollowedAndDropsNothing()
    {
        await using var world = await GatewayWorld.StartAsync(2, Brisk);
        var file = Path.GetTempFileName();
        try
        {
            var text = Yaml(world, maxWaiting: 10);
            await File.WriteAllTextAsync(file, text);
            List<bool> told = [];
            var settings = new LastGood<GatewayOptions>(ConfigurationLoader.Load(text, file, new Dictionary<string, string>()).Options!);
            settings.Changed += world.Server.Apply;
            using var watcher = new ConfigurationWatcher(
                file, text, settings, edited => ConfigurationLoader.Load(edited, file, new Dictionary<string, string>()), problems => told.Add(problems.Count == 0), TimeProvider.System,
                NullLogger<ConfigurationWatcher>.Instance);
            await using var load = new SteadyLoad(world);

            await File.WriteAllTextAsync(file, Yaml(world, maxWaiting: 20));
            watcher.ReloadNow();
            var afterGood = world.Server.Core.Options.Queue.MaxWaiting;
            await File.WriteAllTextAsync(file, Yaml(world, maxWaiting: 30).Replace("maxWaiting", "maxWating", StringComparison.Ordinal));
            watcher.ReloadNow();
            var afterBad = world.Server.Core.Options.Queue.MaxWaiting;
            await load.MoreAsync(20);
            await File.WriteAllTextAsync(file, Yaml(world, maxWaiting: 40));
            watcher.ReloadNow();

            Assert.Equal((20, 20, 40), (afterGood, afterBad, world.Server.Core.Options.Queue.MaxWaiting));
            Assert.Equal([true, false, true], told);
            await load.MoreAsync(20);
            await load.EndAsync();
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string Yaml(GatewayWorld world, int maxWaiting) => string.Create(CultureInfo.InvariantCulture, $$"""
        models:
          - name: {{GatewayWorld.Model}}
            replicas:
              - {{world.Engines[0].Uri}}
              - {{world.Engines[1].Uri}}
        queue:
          maxWaiting: {{maxWaiting}}
        """);

    /// <summary>Eight clients that keep asking, every other one for streams; each answer must be whole.</summary>
    private sealed class SteadyLoad : IAsyncDisposable
    {
        private readonly GatewayWorld _world;
        private readonly CancellationTokenSource _stop = new();
        private readonly Task[] _clients;
        private int _answered;

        public SteadyLoad(GatewayWorld world)
        {
            _world = world;
            _clients = [.. Enumerable.Range(0, 8).Select(AskOnAsync)];
        }

        /// <summary>Waits until so many more were answered; a client that failed ends the wait.</summary>
        public Task MoreAsync(int answers)
        {
            var enough = Volatile.Read(ref _answered) + answers;
            return Until.HoldsAsync(() => Volatile.Read(ref _answered) >= enough || _clients.Any(client => client.IsFaulted), "more answers came");
        }

        /// <summary>Lets the clients finish what they asked, and fails if one was not served.</summary>
        public async Task EndAsync()
        {
            await _stop.CancelAsync();
            await Task.WhenAll(_clients).ComesAsync("the last answers");
        }

        public async ValueTask DisposeAsync()
        {
            await _stop.CancelAsync();
            await Task.WhenAll(_clients).ContinueWith(_ => { }, TaskScheduler.Default);
            _stop.Dispose();
        }

        private async Task AskOnAsync(int client)
        {
            for (var i = 0; !_stop.IsCancellationRequested; i++)
            {
                var reply = await _world.AskAsync(Chat.Body($"client {client} request {i}, answer with {20 + (i % 60)} tokens", isStreaming: client % 2 == 0));
                Assert.True(reply is { Status: 200, End: ChatEnd.Done }, $"client {client}, request {i}: {reply.Status}, {reply.End}: {reply.Text}");
                Assert.Equal(20 + (i % 60), reply.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length);
                Interlocked.Increment(ref _answered);
            }
        }
    }
}
