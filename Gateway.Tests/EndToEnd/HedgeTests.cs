using Gateway.Configuration;
using Gateway.Queueing;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A second replica is asked where the first is slow to begin, and nobody but the gateway knows.</summary>
public sealed class HedgeTests
{
    private const string Metric = "gateway_hedges_total";
    private const int Learned = 64;

    private static readonly TimeSpan NarrowWait = TimeSpan.FromMilliseconds(500);
    private static readonly EngineFaults Slow = new() { ExtraFirstTokenDelay = TimeSpan.FromSeconds(60) };

    [Fact]
    public async Task Stream_OfAReplicaThatIsSlowToBegin_IsAnsweredByAnother()
    {
        await using var world = await LearnedAsync(share: 0.5);
        var body = Chat.Body("answer with 12 tokens", isStreaming: true, more: ",\"stream_options\":{\"include_usage\":true}");
        var usual = await StreamedAnswer.AskAsync(world, body);
        for (var i = 0; i < 64 && await world.Client.MetricAsync(Metric, "won") == 0; i++)
        {
            // One of two, by turns: affinity may send all of them to one.
            (world.Engines[i % 2].Faults, world.Engines[(i + 1) % 2].Faults) = (Slow, EngineFaults.None);
            Assert.Equal(usual.Essence, (await StreamedAnswer.AskAsync(world, body).ComesAsync("an answer")).Essence);
        }

        Assert.Equal(1, await world.Client.MetricAsync(Metric, "won"));
        await world.AtRestAsync();
        await Until.HoldsAsync(() => world.Engines.Sum(engine => engine.Journal.Cancelled) == 1, "the slow engine sees its client leave");
    }

    [Theory]
    [InlineData(0.0, "")]
    [InlineData(0.5, ",\"n\":2")]
    public async Task Stream_ThatIsNotHedged_WaitsForItsReplica(double share, string more)
    {
        await using var world = await LearnedAsync(share);
        // On a busy machine one of those that taught it may have been hedged.
        var hedged = await world.Client.MetricAsync(Metric);
        foreach (var engine in world.Engines)
        {
            engine.Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromMilliseconds(300) };
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StreamedAnswer.AskAsync(world, Chat.Body("answer with 2 tokens", isStreaming: true, more: more))));

        Assert.All(answers, answer => Assert.Equal("stop", answer.Finish));
        Assert.Equal(hedged, await world.Client.MetricAsync(Metric));
    }

    [Fact]
    public async Task Stream_ThatIsSlowToBeginWhereEveryPlaceIsTaken_IsAnsweredAndTakesNobodysTurn()
    {
        await using var world = await LearnedAsync(share: 0.5, Narrow);
        var hedged = await world.Client.MetricAsync(Metric);
        (world.Engines[0].Faults, world.Engines[1].Faults) = (Slow, Slow);
        using var leaves = new CancellationTokenSource();
        var running = world.AskAsync(Chat.Body("answer with 2 tokens"), cancellationToken: leaves.Token);
        await Until.HoldsAsync(() => world.Running() == 1, "one place is taken");
        var free = world.Pool.ReplicaList[0].Snapshot().RunningRequests == 0 ? 0 : 1;
        world.Engines[free].Faults = new EngineFaults { ExtraFirstTokenDelay = 4 * NarrowWait };
        var slow = world.AskAsync(Chat.Body("answer with 3 tokens", isStreaming: true), [("x-gateway-priority", "interactive")]);
        await Until.HoldsAsync(() => world.Running() == 2, "the other place is taken");
        var waiting = world.AskAsync(Chat.Body("answer with 4 tokens"), [("x-gateway-priority", "batch")]);
        await Until.HoldsAsync(() => world.Waiting == 1, "one waits");

        var answer = await slow.ComesAsync("the slow answer");
        var next = await waiting.ComesAsync("the answer of the one that waited");

        Assert.Equal((ChatEnd.Done, ChatEnd.Done), (answer.End, next.End));
        Assert.Equal(answer.Replica, next.Replica);
        Assert.False(running.IsCompleted);
        Assert.Equal(hedged, await world.Client.MetricAsync(Metric));
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        await world.AtRestAsync();
    }

    [Fact]
    public async Task Batch_ThatIsHedgedAndGivesUpItsFirstPlace_LeavesItBeforeTheHedgeBegins()
    {
        await using var world = await LearnedAsync(share: 0.5, options => Narrow(options) with { Queue = new() { Preempt = PreemptMode.BeforeFirstByte } });
        (world.Engines[0].Faults, world.Engines[1].Faults) = (Slow, Slow);
        using var leaves = new CancellationTokenSource();
        var batch = world.AskAsync(Chat.Body("answer with 2 tokens", isStreaming: true), [("x-gateway-priority", "batch")], cancellationToken: leaves.Token);
        await Until.HoldsAsync(() => world.Engines.All(engine => engine.Journal.Open == 1), "the batch request has come to both replicas");
        (world.Engines[0].Faults, world.Engines[1].Faults) = (EngineFaults.None, EngineFaults.None);

        var urgent = await world.AskAsync(Chat.Body("answer with 3 tokens"), [("x-gateway-priority", "interactive")]).ComesAsync("the urgent answer");

        Assert.Equal(200, urgent.Status);
        Assert.False(batch.IsCompleted);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => batch);
        await world.AtRestAsync();
    }

    // One place at each replica, and a queue in which a hedge, were it to wait, would wait for longer than the test.
    private static GatewayOptions Narrow(GatewayOptions options) => GatewayWorld.WithModel(
        options with
        {
            Queue = new() { MaxWait = TimeSpan.FromMinutes(2) },
            Resilience = options.Resilience with { Hedge = options.Resilience.Hedge with { LeastWait = NarrowWait } },
        },
        model => model with { Replicas = [.. model.Replicas.Select(replica => replica with { Slots = 1 })] });

    private static async Task<GatewayWorld> LearnedAsync(double share, Func<GatewayOptions, GatewayOptions>? further = null)
    {
        var world = await GatewayWorld.StartAsync(
            engine: (options, _) => options with { Speed = 20 },
            configure: options =>
            {
                var hedged = options with
                {
                    Resilience = options.Resilience with { Hedge = new() { Share = share, Slowness = 1, LeastWait = TimeSpan.FromMilliseconds(100) } },
                };
                return further?.Invoke(hedged) ?? hedged;
            });
        await Task.WhenAll(Enumerable.Range(0, Learned).Select(i => world.AskAsync(Chat.Body($"answer with 16 tokens {i}", isStreaming: true))));
        await Until.HoldsAsync(() => world.Pool.ReplicaList.All(replica => replica.Snapshot().Rates.IsLearned), "the rates are learned");
        return world;
    }
}
