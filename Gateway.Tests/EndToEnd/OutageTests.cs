using System.Globalization;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Engines that all fail at once: no storm of retries, a clear refusal, and work again as soon as they do.</summary>
public class OutageTests
{
    [Fact]
    public async Task Serve_TotalOutage_IsNotAnsweredWithAStormOfRetries()
    {
        const int Requests = 400;
        await using var world = await GatewayWorld.StartAsync(
            2,
            (engine, _) => engine with { Faults = new() { FailRate = 1 } },
            options => options with { Resilience = new() { FailuresToOpen = 10_000, RetryBudgetPerSecond = 0, RetryBudgetShare = 0.1 } });

        var replies = await AskAsync(world, Requests);

        var attempts = world.Engines.Sum(engine => engine.Journal.Started);
        Assert.All(replies, reply => Assert.Equal(500, reply.Status));
        Assert.InRange(attempts, Requests + 1, (long)(1.1 * Requests) + 1);
        Assert.Equal(attempts - Requests, await world.Client.MetricAsync("gateway_retries_total"));
    }

    [Fact]
    public async Task Serve_EveryReplicaFailing_GoesOnAskingTheLastOneSoThatItsRecoveryIsSeenAtOnce()
    {
        await using var world = await GatewayWorld.StartAsync(
            2,
            (engine, _) => engine with { Speed = 20, Faults = new() { FailRate = 1 } },
            options => options with { Resilience = new() { FailuresToOpen = 3, OpenDuration = TimeSpan.FromHours(1), MaxRetries = 0 } });
        var statuses = new List<int>();
        while (statuses.Count < 30)
        {
            statuses.Add((await world.AskAsync(Chat.Body("anyone?", 4))).Status);
        }
        var suspended = world.Pool.ReplicaList.Count(replica => replica.Health == ReplicaHealth.Suspended);
        foreach (var engine in world.Engines)
        {
            engine.Faults = EngineFaults.None;
        }
        var next = await world.AskAsync(Chat.Body("answer with 2 tokens", 4));

        Assert.All(statuses, status => Assert.Equal(500, status));
        Assert.Equal(1, suspended);
        Assert.Equal(200, next.Status);
    }

    [Fact]
    public async Task Serve_ReplicaThatFailsFast_DoesNotDrawTheWork()
    {
        await using var world = await GatewayWorld.StartAsync(
            2, (engine, i) => engine with { Speed = 20, Faults = i == 0 ? new() { RefuseStatus = 503, RetryAfter = "30" } : EngineFaults.None });

        var replies = await AskAsync(world, 60);

        Assert.All(replies, reply => Assert.Equal(200, reply.Status));
        // Whoever was on the way when the first refusal came may have met it, too.
        Assert.InRange(world.Engines[0].Journal.Started, 1, 10);
        Assert.InRange(world.Engines[1].Journal.Started, 60, 60);
    }

    [Fact]
    public async Task Serve_QueuedBodies_ArePiledUpOnlyToTheirLimit()
    {
        await using var world = await GatewayWorld.StartAsync(
            1,
            (engine, _) => engine with { Faults = new() { StallAfterTokens = 1 } },
            options => options with
            {
                Models = [options.Models[0] with { Replicas = [options.Models[0].Replicas[0] with { Slots = 1 }] }],
                Queue = new() { MaxWaitingBytes = 1 << 20 },
            });
        using var holder = await world.OpenAsync("holder, answer with 2 tokens");
        using var leave = new CancellationTokenSource();
        var big = Chat.Body("short prompt, big body", 4, more: $",\"unknown\":\"{new string('x', 700_000)}\"");
        var first = world.AskAsync(big, cancellationToken: leave.Token);
        await Until.HoldsAsync(() => world.Server.Core.Find(GatewayWorld.Model)!.Dispatcher.Waiting(Gateway.Requests.PriorityClass.Default) == 1, "the first body waits");

        var second = await world.AskAsync(big).ComesAsync("the refusal");

        Assert.Equal(429, second.Status);
        Assert.Equal("queue_full", second.Headers["x-gateway-reason"]);
        await leave.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
    }

    private static async Task<ChatReply[]> AskAsync(GatewayWorld world, int requests)
    {
        var replies = new ChatReply[requests];
        await Parallel.ForAsync(0, requests, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, stop) =>
            replies[i] = await world.AskAsync(Chat.Body(string.Create(CultureInfo.InvariantCulture, $"{i}, answer with 2 tokens"), 4), cancellationToken: stop));
        return replies;
    }
}
