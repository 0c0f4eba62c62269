using System.Net;
using System.Text;
using Gateway.Configuration;
using Gateway.Queueing;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Waiting in front of one engine that takes one request at a time: who goes first, who is refused, who leaves.</summary>
public class QueueTests
{
    private static readonly EngineFaults Holding = new() { StallAfterTokens = 1 };

    [Fact]
    public async Task Interactive_BehindWaitingBatch_IsServedFirst()
    {
        await using var world = await FullAsync(new QueueOptions());
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        var waiting = await EnterAsync(world, [.. Enumerable.Repeat("batch", 4), .. Enumerable.Repeat("default", 2), .. Enumerable.Repeat("interactive", 2)]);

        await ReleaseAsync(world, holder, waiting);

        Assert.Equal("interactive interactive default default batch batch batch batch", Order(world));
    }

    [Fact]
    public async Task Batch_BehindManyInteractive_GetsItsReservedTurns()
    {
        await using var world = await FullAsync(new QueueOptions { ReservedShare = 0.25 });
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        var waiting = await EnterAsync(world, [.. Enumerable.Repeat("batch", 2), .. Enumerable.Repeat("interactive", 10)]);

        await ReleaseAsync(world, holder, waiting);

        var order = Order(world).Split(' ');
        Assert.Equal("interactive", order[0]);
        Assert.InRange(Array.IndexOf(order, "batch"), 1, 5);
        Assert.InRange(Array.LastIndexOf(order, "batch"), 2, 10);
    }

    [Fact]
    public async Task SameClass_Waiting_IsServedInOrderOfArrival()
    {
        await using var world = await FullAsync(new QueueOptions());
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        var waiting = await EnterAsync(world, ["1", "1", "3", "3", "2", "2"]);

        await ReleaseAsync(world, holder, waiting);

        Assert.Equal(6, waiting.Length);
        Assert.Equal("3 3 2 2 1 1", Order(world));
    }

    [Theory]
    [InlineData("/v1/chat/completions", 429)]
    [InlineData("/v1/messages", 529)]
    public async Task FullQueue_RefusesTheNextOne_WithRetryAfter(string path, int status)
    {
        await using var world = await FullAsync(new QueueOptions { MaxWaiting = 1 });
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        var waiting = await EnterAsync(world, ["default"]);

        using var refused = await world.PostAsync(path, Chat.Body("one too many", 8));

        Assert.Equal(status, (int)refused.StatusCode);
        Assert.Equal("queue_full", refused.Headers.GetValues("x-gateway-reason").Single());
        Assert.InRange(refused.Headers.RetryAfter?.Delta?.TotalSeconds ?? 0, 1, 120);
        Assert.Equal(1, await world.Client.MetricAsync("gateway_refusals_total", "reason=\"queue_full\""));
        await ReleaseAsync(world, holder, waiting);
    }

    [Fact]
    public async Task Serve_WaitingTooLong_IsTold429WithRetryAfter()
    {
        await using var world = await FullAsync(new QueueOptions { MaxWait = TimeSpan.FromMilliseconds(50) });
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");

        var reply = await world.AskAsync(Chat.Body("late", 8)).ComesAsync("the refusal");

        Assert.Equal((int)HttpStatusCode.TooManyRequests, reply.Status);
        Assert.Equal("queue_timeout", reply.Headers["x-gateway-reason"]);
        Assert.InRange(reply.Number("retry-after"), 1, 120);
        Assert.Equal(1, world.Engines[0].Journal.Started);
    }

    [Fact]
    public async Task OwnDeadline_PassedWhileWaiting_IsTold504AndNotToRetry()
    {
        await using var world = await FullAsync(new QueueOptions());
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");

        var reply = await world.AskAsync(Chat.Body("urgent", 8), [("x-gateway-deadline-ms", "40")]).ComesAsync("the refusal");

        Assert.Equal((int)HttpStatusCode.GatewayTimeout, reply.Status);
        Assert.Equal("false", reply.Headers["x-should-retry"]);
        Assert.False(reply.Headers.ContainsKey("retry-after"));
        Assert.Equal(1, world.Engines[0].Journal.Started);
    }

    [Fact]
    public async Task ClientsTimeout_PassedWhileWaiting_IsTold504AndNothingIsSent()
    {
        await using var world = await FullAsync(new QueueOptions());
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");

        var reply = await world.AskAsync(Chat.Body("urgent", 8), [("x-litellm-timeout", "0.04")]).ComesAsync("the refusal");

        Assert.Equal((int)HttpStatusCode.GatewayTimeout, reply.Status);
        Assert.Equal("upstream_timeout", reply.Headers["x-gateway-reason"]);
        Assert.Equal(1, world.Engines[0].Journal.Started);
    }

    [Fact]
    public async Task Serve_NoReplica_IsTold503WithRetryAfter()
    {
        await using var world = await GatewayWorld.StartAsync(1);
        world.Pool.ReplicaList[0].SetDraining(true);

        var reply = await world.AskAsync(Chat.Body("anyone there?", 8)).ComesAsync("the refusal");

        Assert.Equal((int)HttpStatusCode.ServiceUnavailable, reply.Status);
        Assert.Equal("no_healthy_replicas", reply.Headers["x-gateway-reason"]);
        Assert.InRange(reply.Number("retry-after"), 1, 120);
    }

    [Fact]
    public async Task Serve_ClientThatLeavesWhileQueued_CostsNothing()
    {
        await using var world = await FullAsync(new QueueOptions());
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        using var leave = new CancellationTokenSource();
        var leaving = world.AskAsync(Chat.Body("leaves", 8), cancellationToken: leave.Token);
        await Until.HoldsAsync(() => world.Waiting == 1, "the request waits");

        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        await Until.HoldsAsync(() => world.Waiting == 0, "it has left the queue");
        world.Engines[0].Faults = EngineFaults.None;
        holder.Dispose();
        var next = await world.AskAsync(Chat.Body("stays, answer with 2 tokens", 8)).ComesAsync("the next answer");

        Assert.Equal(200, next.Status);
        Assert.Equal(2, world.Engines[0].Journal.Started);
        Assert.DoesNotContain(world.Engines[0].Journal.Requests, request => Encoding.UTF8.GetString(request.Body).Contains("leaves", StringComparison.Ordinal));
        await Until.HoldsAsync(() => world.Running() == 0, "every reservation is returned");
    }

    [Fact]
    public async Task Serve_PlainMode_HoldsNothing()
    {
        await using var world = await FullAsync(new QueueOptions(), options => options with { Mode = GatewayMode.Plain });

        var open = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => world.OpenAsync($"{i}, answer with 2 tokens")));

        Assert.Equal(8, world.Running());
        Assert.Equal(0, world.Waiting);
        foreach (var chat in open)
        {
            chat.Dispose();
        }
    }

    // One engine, one slot; what it is sent stays with it until its client leaves.
    private static Task<GatewayWorld> FullAsync(QueueOptions queue, Func<GatewayOptions, GatewayOptions>? more = null) => GatewayWorld.StartAsync(
        1,
        (engine, _) => engine with { Speed = 20, Faults = Holding },
        options =>
        {
            var model = options.Models[0];
            options = options with { Queue = queue, Models = [model with { Replicas = [model.Replicas[0] with { Slots = 1 }] }] };
            return more?.Invoke(options) ?? options;
        });

    private static async Task<Task<ChatReply>[]> EnterAsync(GatewayWorld world, string[] priorities)
    {
        var entered = new Task<ChatReply>[priorities.Length];
        for (var i = 0; i < priorities.Length; i++)
        {
            var number = i;
            entered[i] = world.AskAsync(Chat.Body($"<{priorities[i]}> {i}, answer with 2 tokens"), [("x-gateway-priority", priorities[i])]);
            await Until.HoldsAsync(() => world.Waiting == number + 1, $"request {i} waits");
        }
        return entered;
    }

    private static async Task ReleaseAsync(GatewayWorld world, OpenChat holder, Task<ChatReply>[] waiting)
    {
        world.Engines[0].Faults = EngineFaults.None;
        holder.Dispose();
        var replies = await Task.WhenAll(waiting).ComesAsync("every waiting request's answer");
        Assert.All(replies, reply => Assert.Equal(200, reply.Status));
    }

    /// <summary>The priorities in the order in which the engine saw them, without the holder.</summary>
    private static string Order(GatewayWorld world) => string.Join(' ', world.Engines[0].Journal.Requests.Skip(1).Select(request =>
    {
        var body = Encoding.UTF8.GetString(request.Body).Replace("\\u003C", "<", StringComparison.Ordinal).Replace("\\u003E", ">", StringComparison.Ordinal);
        return body[(body.IndexOf('<', StringComparison.Ordinal) + 1)..body.IndexOf('>', StringComparison.Ordinal)];
    }));
}
