using System.Text;
using Gateway.Forwarding;
using Gateway.Queueing;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>An urgent request in front of one engine with one slot that a less urgent one holds.</summary>
public class PreemptionTests
{
    private const string Retries = "gateway_retries_total";

    // Long enough for a busy machine to give the place away within it.
    private static readonly TimeSpan TotalTime = TimeSpan.FromSeconds(3);

    [Fact]
    public async Task Urgent_BehindABatchRequestWithoutAFirstByte_IsServedFirstAndTheOtherIsNotLost()
    {
        await using var world = await FullAsync(PreemptMode.BeforeFirstByte, speed: 20);
        world.Engines[0].Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromHours(1) };
        var batch = world.AskAsync(Chat.Body("<batch> answer with 5 tokens", 8, isStreaming: true), [("x-gateway-priority", "batch")]);
        await Until.HoldsAsync(() => world.Engines[0].Journal.Started == 1, "the engine has the batch request");
        world.Engines[0].Faults = EngineFaults.None;

        var urgent = await world.AskAsync(Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")]).ComesAsync("the urgent answer");
        var second = await batch.ComesAsync("the batch answer");

        Assert.Equal((200, 200, ChatEnd.Done), (urgent.Status, second.Status, second.End));
        Assert.Equal("batch urgent batch", Order(world));
        Assert.Equal(1, await world.Client.MetricAsync(Retries, "reason=\"preempted\""));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Urgent_BehindAPlainBatchAnswer_WaitsForIt()
    {
        await using var world = await FullAsync(PreemptMode.Continue, speed: 20);
        var batch = world.AskAsync(Chat.Body("<batch> answer with 5 tokens", 8), [("x-gateway-priority", "batch")]);
        await Until.HoldsAsync(() => world.Engines[0].Journal.Started == 1, "the engine has the batch request");

        var urgent = await world.AskAsync(Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")]).ComesAsync("the urgent answer");

        Assert.Equal((200, 200), (urgent.Status, (await batch.ComesAsync("the batch answer")).Status));
        Assert.Equal("batch urgent", Order(world));
        Assert.Equal(0, await world.Client.MetricAsync(Retries, "reason=\"preempted\""));
    }

    [Theory]
    [InlineData("")]
    [InlineData(",\"stream_options\":{\"include_usage\":true}")]
    public async Task Urgent_BehindARunningBatchStream_IsServedInBetweenAndTheStreamIsTheUncutOne(string more)
    {
        await using var world = await FullAsync(PreemptMode.Continue, speed: 1);
        var body = $$"""{"model":"demo","messages":[{"role":"user","content":"<batch> answer with 200 tokens"}],"stream":true{{more}}}""";
        var uncut = await StreamedAnswer.AskAsync(world, body);
        using var response = await world.PostAsync("/v1/chat/completions", body, [("x-gateway-priority", "batch")]);
        await using var stream = await response.Content.ReadAsStreamAsync();
        using var reader = new StreamReader(stream);
        var raw = new StringBuilder();
        for (var i = 0; i < 8; i++)
        {
            raw.Append(await reader.ReadLineAsync()).Append('\n');
        }

        var urgent = await world.AskAsync(Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")]).ComesAsync("the urgent answer");
        raw.Append(await reader.ReadToEndAsync().ComesAsync("the rest of the stream"));

        var cut = StreamedAnswer.Read((int)response.StatusCode, raw.ToString());
        Assert.Equal((200, uncut.Essence, 1), (urgent.Status, cut.Essence, cut.Heads.Count));
        Assert.Equal("batch batch urgent batch", Order(world));
        Assert.Equal(1, await world.Client.MetricAsync(Retries, "reason=\"preempted\""));
        Assert.Equal(1, await world.Client.MetricAsync("gateway_streams_continued_total", "continued"));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatGaveUpItsPlace_IsHeardFromWhileItWaitsAndLeavesWithItsClient()
    {
        await using var world = await FullAsync(PreemptMode.Continue, speed: 1);
        var resilience = world.Server.Core.Options.Resilience with { Heartbeat = new() { Interval = TimeSpan.FromMilliseconds(20), Form = HeartbeatForm.Comment } };
        world.Server.Apply(world.Server.Core.Options with { Resilience = resilience });
        using var response = await world.PostAsync("/v1/chat/completions", Chat.Body("<batch> answer with 200 tokens", 200, isStreaming: true), [("x-gateway-priority", "batch")]);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync());
        await reader.ReadLineAsync().ComesAsync("the first event");
        world.Engines[0].Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromHours(1) };
        using var leave = new CancellationTokenSource();
        var urgent = world.PostAsync("/v1/chat/completions", Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")], leave.Token);
        await Until.HoldsAsync(() => world.Waiting == 1 && world.Engines[0].Journal.Started == 2, "the urgent request has the place, and the stream waits");

        var beats = 0;
        while (beats < 3)
        {
            beats += await reader.ReadLineAsync().ComesAsync("a beat") == ": keep-alive" ? 1 : 0;
        }
        response.Dispose();
        await Until.HoldsAsync(() => world.Waiting == 0, "nobody waits for a turn");
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => urgent);

        Assert.Equal("batch urgent", Order(world));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatGaveUpItsPlace_WaitsNoLongerThanItsTotalTime()
    {
        await using var world = await FullAsync(PreemptMode.Continue, speed: 1);
        var lasting = world.Server.Core.Options;
        world.Server.Apply(lasting with { Resilience = lasting.Resilience with { TotalTimeout = TotalTime } });
        using var response = await world.PostAsync("/v1/chat/completions", Chat.Body("<batch> answer with 2000 tokens", 2000, isStreaming: true), [("x-gateway-priority", "batch")]);
        world.Server.Apply(lasting);
        world.Engines[0].Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromHours(1) };
        using var leave = new CancellationTokenSource();
        var urgent = world.PostAsync("/v1/chat/completions", Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")], leave.Token);

        var received = await response.Content.ReadAsStringAsync().ComesAsync("the end of the stream");

        Assert.Contains("upstream_timeout", received, StringComparison.Ordinal);
        Assert.Equal("batch urgent", Order(world));
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => urgent);
        await world.AtRestAsync();
        Assert.Equal((0, "batch urgent"), (world.Pool.ReplicaList[0].FaultsInARow, Order(world)));
    }

    [Fact]
    public async Task Batch_WhoseTurnComesAgainAfterItsTotalTime_IsNotSent()
    {
        await using var world = await FullAsync(PreemptMode.BeforeFirstByte, speed: 1);
        var lasting = world.Server.Core.Options;
        world.Engines[0].Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromHours(1) };
        world.Server.Apply(lasting with { Resilience = lasting.Resilience with { TotalTimeout = TotalTime } });
        var since = TimeProvider.System.GetTimestamp();
        var batch = world.PostAsync("/v1/chat/completions", Chat.Body("<batch> answer with 5 tokens", 8, isStreaming: true), [("x-gateway-priority", "batch")]);
        await Until.HoldsAsync(() => world.Engines[0].Journal.Started == 1, "the engine has the batch request");
        world.Server.Apply(lasting);
        using var leave = new CancellationTokenSource();
        var urgent = world.PostAsync("/v1/chat/completions", Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")], leave.Token);
        await Until.HoldsAsync(() => world.Waiting == 1 && world.Engines[0].Journal.Started == 2, "the urgent request has the place");
        await Until.HoldsAsync(() => TimeProvider.System.GetElapsedTime(since) > TotalTime * 1.1, "the time of the batch request is over");

        await leave.CancelAsync();
        using var refused = await batch.ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(refused, 504, "upstream_timeout");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => urgent);
        await world.AtRestAsync();
        Assert.Equal((0, "batch urgent"), (world.Pool.ReplicaList[0].FaultsInARow, Order(world)));
    }

    [Fact]
    public async Task Urgent_BehindAStreamThatCannotGoOnElsewhere_LeavesItAlone()
    {
        await using var world = await FullAsync(PreemptMode.Continue, speed: 2);
        using var response = await world.PostAsync("/v1/chat/completions", Chat.Body("<batch> answer with 60 tokens", 80, isStreaming: true, more: ",\"logprobs\":true"), [("x-gateway-priority", "batch")]);
        var urgent = world.AskAsync(Chat.Body("<urgent> answer with 2 tokens", 8), [("x-gateway-priority", "interactive")]);

        var text = await response.Content.ReadAsStringAsync().ComesAsync("the batch stream");

        Assert.EndsWith("data: [DONE]\n\n", text, StringComparison.Ordinal);
        Assert.Equal(200, (await urgent.ComesAsync("the urgent answer")).Status);
        Assert.Equal("batch urgent", Order(world));
    }

    [Fact]
    public async Task FloodOfOneKey_BeforeTheRequestsOfAnother_LeavesThemTheirTurns()
    {
        await using var world = await FullAsync(PreemptMode.Off, speed: 20, options => options with { Fairness = FairnessMode.Vtc, FairnessQuantumTokens = 256, Order = "fcfs" });
        world.Engines[0].Faults = new EngineFaults { StallAfterTokens = 1 };
        using var holder = await world.OpenAsync("<hold> answer with 2 tokens");
        var waiting = new List<Task<ChatReply>>();
        foreach (var key in Enumerable.Repeat("flood", 8).Concat(Enumerable.Repeat("small", 3)))
        {
            waiting.Add(world.AskAsync(Chat.Body($"<{key}> {waiting.Count}, answer with 2 tokens"), [("Authorization", $"Bearer {key}")]));
            await Until.HoldsAsync(() => world.Waiting == waiting.Count, "the request waits");
        }

        world.Engines[0].Faults = EngineFaults.None;
        holder.Dispose();
        await Task.WhenAll(waiting).ComesAsync("every answer");

        // The flood was there first; from then on they take turns until the other has nothing left.
        Assert.Equal("hold flood small flood small flood small flood flood flood flood flood", Order(world));
    }

    private static Task<GatewayWorld> FullAsync(PreemptMode preempt, double speed, Func<QueueOptions, QueueOptions>? more = null) => GatewayWorld.StartAsync(
        1,
        (engine, _) => engine with { Speed = speed },
        options =>
        {
            var queue = new QueueOptions { Preempt = preempt, PreemptLimit = 1 };
            var model = options.Models[0];
            return options with { Queue = more?.Invoke(queue) ?? queue, Models = [model with { Replicas = [model.Replicas[0] with { Slots = 1 }] }] };
        });

    /// <summary>What the engine was asked, in order: the word in brackets of each request.</summary>
    private static string Order(GatewayWorld world) => string.Join(' ', world.Engines[0].Journal.Requests.Select(request =>
    {
        var body = Encoding.UTF8.GetString(request.Body).Replace("\\u003C", "<", StringComparison.Ordinal).Replace("\\u003E", ">", StringComparison.Ordinal);
        return body[(body.IndexOf('<', StringComparison.Ordinal) + 1)..body.IndexOf('>', StringComparison.Ordinal)];
    }));
}
