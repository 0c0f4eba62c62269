using System.Diagnostics;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>A client that leaves: the engine hears of it at once, the room is back, and nobody is blamed.</summary>
public sealed class CancellationTests(ITestOutputHelper output)
{
    private const string Chat = "/v1/chat/completions";
    private const string Streaming = """{"model":"demo","messages":[],"stream":true}""";
    private const string Plain = """{"model":"demo","messages":[]}""";
    private const string First = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    [Fact]
    public Task Client_ThatLeavesWhileStreaming_IsNoticedByTheEngine() => LeaveAsync("streaming", Streaming, async (call, reached) =>
    {
        await call.BeginStreamAsync();
        await call.ChunkAsync(First);
        reached();
    });

    [Fact]
    public Task Client_ThatLeavesInPrefill_IsNoticedByTheEngine() => LeaveAsync("prefill", Streaming, async (call, reached) =>
    {
        await call.ReadBodyAsync();
        reached();
    });

    [Fact]
    public Task Client_ThatLeavesAfterTheHeaders_IsNoticedByTheEngine() => LeaveAsync("prefill with headers", Streaming, async (call, reached) =>
    {
        await call.BeginStreamAsync();
        reached();
    });

    [Fact]
    public Task Client_ThatLeavesAPlainGeneration_IsNoticedByTheEngine() => LeaveAsync("plain", Plain, async (call, reached) =>
    {
        await call.ReadBodyAsync();
        reached();
    });

    [Fact]
    public Task Client_ThatLeavesAHalfReadPlainAnswer_IsNoticedByTheEngine() => LeaveAsync("plain, half sent", Plain, async (call, reached) =>
    {
        await call.ReadBodyAsync();
        await call.SendAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"id\":");
        reached();
    });

    [Fact]
    public async Task Client_ThatLeavesTheQueue_CostsNoEngineAnything()
    {
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = ScriptedEngine.HeldUntil(release.Task);
        await using var world = await GatewayWorld.BeforeAsync([engine], options => GatewayWorld.WithModel(
            options, model => model with { Replicas = [model.Replicas[0] with { Slots = 1 }] }));
        using var leaving = new CancellationTokenSource();
        var dispatcher = world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher;

        var running = world.PostAsync(Chat, Plain);
        await GatewayWorld.UntilAsync(() => engine.Calls.Count == 1, "the first request is at the engine");
        var queued = world.PostAsync(Chat, Plain, leaving.Token);
        await GatewayWorld.UntilAsync(() => dispatcher.Waiting(PriorityClass.Default) == 1, "the second request waits");
        await leaving.CancelAsync();
        await GatewayWorld.UntilAsync(() => dispatcher.Waiting(PriorityClass.Default) == 0, "it left the queue");
        release.SetResult();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => queued);
        using var response = await running;
        Assert.Equal(200, (int)response.StatusCode);
        await world.AtRestAsync();
        Assert.Single(engine.Calls);
    }

    [Fact]
    public async Task Client_ThatLeavesDuringTheUpload_IsNoFaultOfTheReplica()
    {
        await using var engine = new ScriptedEngine(async call =>
        {
            await call.ReadBodyAsync();
            await call.JsonAsync("{}");
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });
        using var patience = new CancellationTokenSource(Patience);
        using (var client = new System.Net.Sockets.TcpClient())
        {
            await client.ConnectAsync("127.0.0.1", new Uri(world.Server.Urls[0]).Port, patience.Token);
            await client.GetStream().WriteAsync("""
                POST /v1/audio/transcriptions HTTP/1.1
                Host: g
                Content-Type: multipart/form-data; boundary=b
                Content-Length: 100000

                --b
                Content-Disposition: form-data; name="model"

                demo
                --b
                Content-Disposition: form-data; name="file"; filename="x"

                aaaa
                """.ReplaceLineEndings("\r\n").Select(c => (byte)c).ToArray(), patience.Token);
            await GatewayWorld.UntilAsync(() => engine.Calls.Count == 1, "the upload reached the engine");
        }

        await world.AtRestAsync();
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
    }

    [Fact]
    public async Task Client_ThatLeavesWhileItsStreamIsContinued_IsNoFailure()
    {
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var continued = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = 0;
        async Task AnswerAsync(ScriptedCall call)
        {
            await call.ReadBodyAsync();
            if (Interlocked.Increment(ref calls) > 1)
            {
                continued.TrySetResult();
                await call.ClientGoneAsync();
                return;
            }
            await call.BeginStreamAsync();
            await call.ChunkAsync(First);
            await began.Task;
            call.Reset();
        }
        await using var one = new ScriptedEngine(AnswerAsync);
        await using var other = new ScriptedEngine(AnswerAsync);
        await using var world = await GatewayWorld.BeforeAsync([one, other]);
        using var leaving = new CancellationTokenSource();

        using var response = await world.PostAsync(Chat, """{"model":"demo","messages":[{"role":"user","content":"go"}],"stream":true}""", leaving.Token);
        var rest = response.Content.ReadAsStringAsync(leaving.Token);
        began.SetResult();
        await continued.Task.ComesAsync("another replica is asked for the rest");
        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => rest);
        await world.AtRestAsync();
        await Until.HoldsAsync(async () => await world.Client.MetricAsync("gateway_requests_total") == 1, "the request is counted");
        Assert.Equal(1, await world.Client.MetricAsync("gateway_requests_total", "code=\"499\""));
        Assert.Equal(0, await world.Client.MetricAsync("gateway_streams_continued_total"));
        Assert.Equal(0, await world.Client.MetricAsync("gen_ai_client_operation_duration_seconds_count", "_OTHER"));
    }

    private async Task LeaveAsync(string what, string body, Func<ScriptedCall, Action, Task> begin)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var gone = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var engine = new ScriptedEngine(async call =>
        {
            await begin(call, () => reached.TrySetResult());
            await call.ClientGoneAsync();
            gone.TrySetResult(Stopwatch.GetTimestamp());
        });
        await using var world = await GatewayWorld.BeforeAsync([engine], options => options with { Resilience = options.Resilience with { FailuresToOpen = 1 } });
        using var leaving = new CancellationTokenSource();

        var request = ReadAllAsync(world, body, leaving.Token);
        await reached.Task.WaitAsync(Patience);
        var left = Stopwatch.GetTimestamp();
        await leaving.CancelAsync();
        var noticed = await gone.Task.WaitAsync(Patience);

        var took = Stopwatch.GetElapsedTime(left, noticed);
        output.WriteLine(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{what}: the engine saw the departure after {took.TotalMilliseconds:0.0} ms"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => request);
        await world.AtRestAsync();
        Assert.Single(engine.Calls);
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
    }

    private static async Task ReadAllAsync(GatewayWorld world, string body, CancellationToken cancellationToken)
    {
        using var response = await world.PostAsync(Chat, body, cancellationToken);
        await response.Content.ReadAsStringAsync(cancellationToken);
    }
}
