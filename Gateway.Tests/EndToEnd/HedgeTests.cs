using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>A second replica is asked where the first is slow to begin, and nobody but the gateway knows.</summary>
public sealed class HedgeTests
{
    private const string Metric = "gateway_hedges_total";
    private const int Learned = 64;

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
        foreach (var engine in world.Engines)
        {
            engine.Faults = new EngineFaults { ExtraFirstTokenDelay = TimeSpan.FromMilliseconds(300) };
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => StreamedAnswer.AskAsync(world, Chat.Body("answer with 2 tokens", isStreaming: true, more: more))));

        Assert.All(answers, answer => Assert.Equal("stop", answer.Finish));
        Assert.Equal(0, await world.Client.MetricAsync(Metric));
    }

    private static async Task<GatewayWorld> LearnedAsync(double share)
    {
        var world = await GatewayWorld.StartAsync(
            engine: (options, _) => options with { Speed = 20 },
            configure: options => options with
            {
                Resilience = options.Resilience with { Hedge = new() { Share = share, Slowness = 1, LeastWait = TimeSpan.FromMilliseconds(100) } },
            });
        await Task.WhenAll(Enumerable.Range(0, Learned).Select(i => world.AskAsync(Chat.Body($"answer with 16 tokens {i}", isStreaming: true))));
        await Until.HoldsAsync(() => world.Pool.ReplicaList.All(replica => replica.Snapshot().Rates.IsLearned), "the rates are learned");
        return world;
    }
}
