using System.Net;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Equal long prompts that come together, in the order in which the engine sees them.</summary>
public class SiblingTests
{
    private static readonly string Shared = Chat.Words(2_000, 1);
    private static readonly QueueOptions Patient = new() { SiblingWait = TimeSpan.FromMinutes(10) };

    [Fact]
    public async Task Chat_WithAPromptThatIsComputedNow_ReachesTheEngineAfterItsFirstToken()
    {
        var firstToken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(call => AnswerAsync(call, firstToken.Task));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Queue = Patient });

        var leader = world.PostAsync("/v1/chat/completions", Body(0));
        await Until.HoldsAsync(() => engine.Calls.Count == 1, "the first is at the engine");
        var siblings = Enumerable.Range(1, 5).Select(number => world.PostAsync("/v1/chat/completions", Body(number))).ToArray();
        await Until.HoldsAsync(() => world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher.Waiting(PriorityClass.Default) == 5, "five wait");
        var before = engine.Calls.Count;
        firstToken.SetResult();
        using var first = await leader.ComesAsync("the first answer");
        var others = await Task.WhenAll(siblings).ComesAsync("the other answers");

        Assert.Equal((1, 6), (before, engine.Calls.Count));
        Assert.All(others, answer => Assert.Equal(HttpStatusCode.OK, answer.StatusCode));
        Assert.All(others, answer => answer.Dispose());
    }

    [Fact]
    public async Task Chat_BehindOneWhoseClientLeaves_GoesOn()
    {
        using var leaves = new CancellationTokenSource();
        var calls = 0;
        await using var engine = new ScriptedEngine(call => Interlocked.Increment(ref calls) == 1 ? call.ClientGoneAsync() : AnswerAsync(call, Task.CompletedTask));
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Queue = Patient });

        var leader = world.PostAsync("/v1/chat/completions", Body(0), leaves.Token);
        await Until.HoldsAsync(() => engine.Calls.Count == 1, "the first is at the engine");
        var sibling = world.PostAsync("/v1/chat/completions", Body(1));
        await Until.HoldsAsync(() => world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher.Waiting(PriorityClass.Default) == 1, "one waits");
        await leaves.CancelAsync();
        using var answer = await sibling.ComesAsync("the other answer");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leader);
    }

    private static string Body(int number) => Chat.Body([("system", Shared), ("user", $"question {number}")], 8, isStreaming: true);

    private static async Task AnswerAsync(ScriptedCall call, Task firstToken)
    {
        await call.BeginStreamAsync();
        await firstToken;
        await call.ChunkAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
        await call.EndStreamAsync();
    }
}
