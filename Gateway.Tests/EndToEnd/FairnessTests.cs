using Gateway.Queueing;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Two API keys in front of one engine with ten slots: one floods, the other asks for little.</summary>
public class FairnessTests
{
    private static readonly EngineFaults Holding = new() { StallAfterTokens = 1 };

    [Theory]
    [InlineData(0.5, 7)]
    [InlineData(0.0, 10)]
    public async Task FloodOfOneKey_AfterAPeakOfAnother_LeavesTheHeadroomFreeForIt(double headroom, int floodRuns)
    {
        await using var world = await StartAsync(headroom);
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(200, (await world.AskAsync(Chat.Body($"{i}, answer with 60 tokens"), Key("flood"))).Status);
        }
        world.Engines[0].Faults = Holding;
        var peak = await Task.WhenAll(Open(world, "small", 3)).ComesAsync("the other's peak");
        var flood = Open(world, "flood", 1);
        await flood[0].ComesAsync("one of the flood beside it");
        Array.ForEach(peak, answer => answer.Dispose());
        await Until.HoldsAsync(() => world.Running() == 1, "the peak is over");

        flood = [.. flood, .. Open(world, "flood", 14)];
        await Until.HoldsAsync(() => world.Running() + world.Waiting == 15, "all of the flood is there");
        var small = Open(world, "small", 3);
        await Until.HoldsAsync(() => world.Running() + world.Waiting == 18, "the other is there again");

        // The engine is full now; without headroom it was so before, and the other waits.
        Assert.Equal((10, 8), (world.Running(), world.Waiting));
        await Until.HoldsAsync(() => flood.Count(answer => answer.IsCompleted) == floodRuns, "the flood's part runs");
        await Until.HoldsAsync(() => small.Count(answer => answer.IsCompleted) == 10 - floodRuns, "the other's part runs");
        world.Engines[0].Faults = EngineFaults.None;
        await Task.WhenAll(flood.Concat(small).Select(async answer =>
        {
            using var open = await answer.ComesAsync("a turn");
            Assert.Equal(200, (int)open.Response.StatusCode);
        }));
        await world.AtRestAsync();
        Assert.Equal(headroom > 0, await world.Client.MetricAsync("gateway_hold_seconds_count", "reason=\"headroom\"") > 0);
    }

    private static (string Name, string Value)[] Key(string key) => [("Authorization", $"Bearer {key}")];

    private static Task<OpenChat>[] Open(GatewayWorld world, string key, int count) =>
        [.. Enumerable.Range(0, count).Select(i => world.OpenAsync($"{key} {i}, answer with 2 tokens", maxTokens: 8, headers: Key(key)))];

    private static Task<GatewayWorld> StartAsync(double headroom) => GatewayWorld.StartAsync(
        1,
        (engine, _) => engine with { Speed = 20 },
        options =>
        {
            var model = options.Models[0];
            return options with
            {
                Queue = new QueueOptions { Order = "fcfs", Fairness = FairnessMode.Vtc, FairnessQuantumTokens = 256, FairnessHeadroom = headroom },
                Models = [model with { Replicas = [model.Replicas[0] with { Slots = 10 }] }],
            };
        });
}
