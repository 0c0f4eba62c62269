using Gateway.Forwarding;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A replica that hangs while its health page says 200 is found by its silence; one that is merely busy is not. The gateway's clock runs twenty times as fast, and its own limits are far away.</summary>
public sealed class StallTests
{
    private const int Hurry = 20;
    private const string Continued = "gateway_streams_continued_total";
    private const string Retries = "gateway_retries_total";

    [Fact]
    public async Task Stream_OfAReplicaThatHangs_IsContinuedByAnother()
    {
        await using var world = await StartAsync(engines: 2);
        var body = Chat.Body("answer with 12 tokens", isStreaming: true, more: ",\"stream_options\":{\"include_usage\":true}");
        var uncut = await StreamedAnswer.AskAsync(world, body);

        for (var i = 0; i < 16 && await world.Client.MetricAsync(Continued, "continued") == 0; i++)
        {
            // One of two, by turns: affinity may send all of them to one.
            (world.Engines[i % 2].Faults, world.Engines[(i + 1) % 2].Faults) = (new EngineFaults { StallAfterTokens = 5 }, EngineFaults.None);
            Assert.Equal(uncut.Essence, (await StreamedAnswer.AskAsync(world, body).ComesAsync("the whole answer")).Essence);
        }

        Assert.True(await world.Client.MetricAsync(Continued, "continued") > 0);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatMayNotBeContinued_EndsWithAnErrorEvent()
    {
        await using var world = await StartAsync(engines: 1, new EngineFaults { StallAfterTokens = 5 });

        var answer = await StreamedAnswer.AskAsync(world, Chat.Body("answer with 12 tokens", isStreaming: true, more: ",\"logprobs\":true")).ComesAsync("the end of the stream");

        Assert.Equal("error", answer.Finish);
        Assert.Contains("upstream_timeout", answer.Raw, StringComparison.Ordinal);
        Assert.Equal(ReplicaHealth.Suspended, world.Pool.ReplicaList[0].Health);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Stream_ThatWaitsForItsFirstTokenAtAReplicaThatHangs_IsAnsweredByAnother()
    {
        await using var world = await StartAsync(engines: 2);
        for (var i = 0; i < 16 && await world.Client.MetricAsync(Retries, "reason=\"hung\"") == 0; i++)
        {
            (world.Engines[i % 2].Faults, world.Engines[(i + 1) % 2].Faults) = (new EngineFaults { StallAfterTokens = 0 }, EngineFaults.None);
            var reply = await world.AskAsync(Chat.Body("answer with 12 tokens", isStreaming: true)).ComesAsync("the answer");
            Assert.Equal((200, ChatEnd.Done), (reply.Status, reply.End));
        }

        Assert.Equal(1, await world.Client.MetricAsync(Retries, "reason=\"hung\""));
        await world.AtRestAsync();
    }

    [Fact]
    public async Task PlainAnswer_OfAReplicaThatHangs_IsGivenByAnother()
    {
        await using var world = await StartAsync(engines: 2);
        for (var i = 0; i < 16 && await world.Client.MetricAsync(Retries, "reason=\"hung\"") == 0; i++)
        {
            (world.Engines[i % 2].Faults, world.Engines[(i + 1) % 2].Faults) = (new EngineFaults { StallAfterTokens = 0 }, EngineFaults.None);
            var reply = await world.AskAsync(Chat.Body("answer with 12 tokens", maxTokens: 4_000)).ComesAsync("the answer");
            Assert.Equal((200, ChatEnd.Done), (reply.Status, reply.End));
        }

        Assert.Equal(1, await world.Client.MetricAsync(Retries, "reason=\"hung\""));
        Assert.Contains(world.Pool.ReplicaList, replica => replica.Health == ReplicaHealth.Suspended);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task PlainAnswer_OfTheOnlyReplicaAndThatHangs_IsATimeout()
    {
        await using var world = await StartAsync(engines: 1, new EngineFaults { StallAfterTokens = 0 });

        using var response = await world.PostAsync("/v1/chat/completions", Chat.Body("answer with 12 tokens")).ComesAsync("the refusal");

        await ErrorAnswer.AssertAsync(response, 504, "upstream_timeout");
        Assert.Equal(ReplicaHealth.Suspended, world.Pool.ReplicaList[0].Health);
        await world.AtRestAsync();
    }

    // Each step takes two seconds by the gateway's clock, the answer more than a minute, and nothing is heard of it before its end.
    [Fact]
    public async Task PlainAnswer_OfAReplicaThatIsSlow_IsWaitedFor()
    {
        await using var world = await StartAsync(engines: 2, speed: 0.04);
        var time = TimeProvider.System.GetTimestamp();

        var reply = await world.AskAsync(Chat.Body("answer with 40 tokens")).ComesAsync("the answer");

        Assert.Equal((200, ChatEnd.Done), (reply.Status, reply.End));
        Assert.True(TimeProvider.System.GetElapsedTime(time) * Hurry > TimeSpan.FromSeconds(30), "The engine was too fast to prove anything.");
        Assert.Equal(0, await world.Client.MetricAsync(Retries));
        Assert.All(world.Pool.ReplicaList, replica => Assert.Equal(ReplicaHealth.Up, replica.Health));
        await world.AtRestAsync();
    }

    // Both keep answers waiting for far longer than the ten seconds after which silence may be found, by the gateway's clock.
    [Theory]
    [InlineData(1, 60_000, 0.25)]
    [InlineData(48, 40, 0.1)]
    public async Task Requests_ThatKeepAReplicaBusy_AreNotTakenForAHang(int atOnce, int promptTokens, double speed)
    {
        await using var world = await StartAsync(engines: 1, speed: speed);
        var time = TimeProvider.System.GetTimestamp();

        var replies = await Task.WhenAll(Enumerable.Range(0, atOnce).Select(i =>
            world.AskAsync(Chat.Body(Chat.Words(promptTokens / 4, i) + "answer with 8 tokens", isStreaming: true)))).ComesAsync("every answer", TimeSpan.FromMinutes(2));

        Assert.All(replies, reply => Assert.Equal(ChatEnd.Done, reply.End));
        Assert.True(TimeProvider.System.GetElapsedTime(time) * Hurry > TimeSpan.FromSeconds(10), "The engine was too fast to prove anything.");
        Assert.Equal((0, 0), (await world.Client.MetricAsync(Retries), await world.Client.MetricAsync(Continued)));
        Assert.Equal(ReplicaHealth.Up, world.Pool.ReplicaList[0].Health);
        await world.AtRestAsync();
    }

    private static Task<GatewayWorld> StartAsync(int engines, EngineFaults? faults = null, double speed = 20) => GatewayWorld.StartAsync(
        engines,
        (engine, _) => engine with { Speed = speed, Faults = faults ?? EngineFaults.None },
        options => options with
        {
            Resilience = new ResilienceOptions
            {
                FirstByteTimeout = TimeSpan.FromHours(2),
                StreamIdleTimeout = TimeSpan.FromHours(2),
                TotalTimeout = TimeSpan.FromHours(2),
                OpenDuration = TimeSpan.FromMinutes(50),
                ContinueWithin = TimeSpan.FromMinutes(5),
                ConnectTimeout = TimeSpan.FromMinutes(4),
                Health = new() { Timeout = TimeSpan.FromMinutes(4) },
            },
        },
        new ServerSettings { Time = new HurriedTime(Hurry) });
}
