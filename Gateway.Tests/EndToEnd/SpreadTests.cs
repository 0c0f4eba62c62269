using System.Globalization;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Work is spread by how much of it there is, not by how many requests bring it.</summary>
public class SpreadTests
{
    // No first token comes while a test places its requests: all that was sent is still to be computed.
    private static readonly EngineFaults Silent = new() { StallAfterTokens = 0 };

    [Fact]
    public async Task TwoReplicas_GivenOneHugeAndManySmallPrompts_ShareTokensRatherThanRequests()
    {
        // Believed to be slow: otherwise the huge prompt would be taken for half computed while the small ones are placed.
        await using var world = await GatewayWorld.StartAsync(2, (engine, _) => engine with { Faults = Silent }, options => GatewayWorld.WithModel(
            options, model => model with { Replicas = [.. model.Replicas.Select(replica => replica with { Weight = 0.01 })] }));
        using var leave = new CancellationTokenSource();

        var sent = new List<Task>();
        for (var i = 0; i < 40; i++)
        {
            sent.Add(world.AskAsync(Chat.Body(Chat.Words(i == 0 ? 4_000 : 100, i), 4, isStreaming: true), cancellationToken: leave.Token));
            await Until.HoldsAsync(() => world.Running() == i + 1, $"request {i} is placed");
        }
        var snapshots = world.Pool.ReplicaList.Select(replica => replica.Snapshot()).ToArray();
        await leave.CancelAsync();

        var tokens = snapshots.Select(snapshot => (double)snapshot.ReservedTokens).ToArray();
        // The one that computes the huge prompt gets few beside it: who runs there would stand still with it.
        Assert.InRange(tokens.Max() / tokens.Average(), 1, 1.35);
        Assert.InRange(snapshots.Max(snapshot => snapshot.RunningRequests), 24, 39);
        await Until.HoldsAsync(() => world.Running() == 0, "every reservation is returned");
        Assert.All(sent, request => Assert.False(request.IsCompletedSuccessfully));
    }

    [Fact]
    public async Task TwoReplicas_WhenABurstOfStrangersComesAtOnce_ShareIt()
    {
        await using var world = await GatewayWorld.StartAsync(2, (engine, _) => engine with { Faults = Silent });
        using var leave = new CancellationTokenSource();

        var sent = Enumerable.Range(0, 60)
            .Select(i => world.AskAsync(Chat.Body(Chat.Words(50, i), 4, isStreaming: true), cancellationToken: leave.Token)).ToArray();
        await Until.HoldsAsync(() => world.Running() == sent.Length, "the burst is placed");
        var counts = world.Pool.ReplicaList.Select(replica => replica.Snapshot().RunningRequests).ToArray();
        await leave.CancelAsync();

        Assert.InRange(counts.Max() / counts.Average(), 1, 1.2);
        await Until.HoldsAsync(() => world.Running() == 0, "every reservation is returned");
    }

    [Fact]
    public async Task Estimate_WhenAnswersHaveOneLength_GoesThere()
    {
        await using var world = await GatewayWorld.StartAsync(
            1, (engine, _) => engine with { Speed = 100 }, options => options with { Estimation = new() { Window = 64 } });

        var before = (await world.AskAsync(Chat.Body("answer with 40 tokens"))).Number("x-gateway-estimated-output-tokens");
        var atForty = await EstimateAfterAsync(world, 200, 40);
        var atFourHundred = await EstimateAfterAsync(world, 200, 400);

        Assert.InRange(before, 200, 300);
        Assert.InRange(atForty, 34, 50);
        Assert.InRange(atFourHundred, 330, 460);
    }

    private static async Task<double> EstimateAfterAsync(GatewayWorld world, int answers, int tokens)
    {
        var body = Chat.Body(string.Create(CultureInfo.InvariantCulture, $"answer with {tokens} tokens"));
        await Parallel.ForAsync(0, answers, new ParallelOptions { MaxDegreeOfParallelism = 16 }, async (_, stop) => await world.AskAsync(body, cancellationToken: stop));
        return (await world.AskAsync(body)).Number("x-gateway-estimated-output-tokens");
    }
}
