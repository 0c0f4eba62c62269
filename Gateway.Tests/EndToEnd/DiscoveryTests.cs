using System.Net;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.EndToEnd.Chaos;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Replicas that come and go while requests run.</summary>
public sealed class DiscoveryTests
{
    private const string Event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

    [Fact]
    public async Task Replica_ThatLeavesItsName_FinishesItsStreamAndGetsNoMore()
    {
        await using var fleet = await ChaosFleet.StartAsync(2, new SimulatedEngineOptions { Models = [GatewayWorld.Model] });
        await using var world = await GatewayWorld.BeforeAsync(
            [],
            options => GatewayWorld.WithModel(options, model => model with { Replicas = [new ReplicaOptions { Dns = fleet.Uri }], Discovery = new() { Interval = TimeSpan.FromSeconds(1) } }),
            new ServerSettings { Names = fleet });
        await Until.HoldsAsync(() => world.Pool.ReplicaList is [{ Health: ReplicaHealth.Up }, { Health: ReplicaHealth.Up }], "both are found");
        using var chat = await world.OpenAsync("answer with 600 tokens");
        var leaving = world.Pool.Find(chat.Replica)!;

        fleet.SetNamed(leaving.Address.Host == ChaosFleet.HostOf(0) ? 0 : 1, isNamed: false);
        await Until.HoldsAsync(() => !world.Pool.ReplicaList.Contains(leaving), "the name's new answer is in force");
        var next = await world.AskAsync(Chat.Body("hello", 4));
        var reply = await chat.ReadAsync().ComesAsync("the stream's end");

        Assert.NotEqual(chat.Replica, next.Replica);
        Assert.Equal((ChatEnd.Done, 600), (reply.End, reply.Text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Length));
        await Until.HoldsAsync(() => leaving.Snapshot() is { RunningRequests: 0, ReservedTokens: 0 }, "its room is returned");
    }

    [Fact]
    public async Task Replica_ThatLeavesTheList_FinishesItsStreamGetsNoMoreAndIsForgotten()
    {
        var finish = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var ghost = new ScriptedEngine(async call =>
        {
            await call.BeginStreamAsync();
            await call.ChunkAsync(Event);
            await finish.Task;
            await call.ChunkAsync(Event + "data: [DONE]\n\n");
            await call.EndStreamAsync();
        });
        await using var staying = new ScriptedEngine(call => call.JsonAsync("""{"id":"c","choices":[{"message":{"content":"b"}}]}"""));
        var list = Path.GetTempFileName();
        await File.WriteAllTextAsync(list, $"[{ghost.Uri}]");
        await using var world = await GatewayWorld.BeforeAsync([], options => GatewayWorld.WithModel(options, model => model with
        {
            Discovery = new() { File = list, Interval = TimeSpan.FromSeconds(1) },
        }));
        var leaving = world.Pool.ReplicaList.Single();
        using var stream = await world.PostAsync("/v1/chat/completions", Chat.Body("hello", isStreaming: true));

        await File.WriteAllTextAsync(list, $"[{staying.Uri}]");
        await Until.HoldsAsync(() => world.Pool.ReplicaList is [{ Health: ReplicaHealth.Up } only] && only != leaving, "the new list is in force");
        using var next = await world.PostAsync("/v1/chat/completions", Chat.Body("hello"));
        var running = leaving.Snapshot().RunningRequests;
        finish.SetResult();
        var text = await stream.Content.ReadAsStringAsync();

        File.Delete(list);
        Assert.Equal((HttpStatusCode.OK, 1), (next.StatusCode, running));
        Assert.Single(ghost.Calls);
        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain(leaving.Id, await world.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        await Until.HoldsAsync(() => leaving.Snapshot() is { RunningRequests: 0, ReservedTokens: 0 }, "the ghost's room is returned");
    }
}
