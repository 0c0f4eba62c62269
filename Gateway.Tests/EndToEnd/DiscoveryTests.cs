using System.Net;
using Gateway.Replicas;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Replicas that come and go while requests run.</summary>
public sealed class DiscoveryTests
{
    private const string Event = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";

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
