using Gateway.Configuration;
using Gateway.Routing;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd;

/// <summary>The same seeded work under taking turns and under the default, compared by what the engines counted: never by time.</summary>
public class PolicyComparisonTests(ITestOutputHelper output)
{
    private const int Seed = 20_260;
    private const int AtOnce = 12;

    [Fact]
    public async Task LeastWork_WithHeavyTailedLengths_BalancesTokensBetterThanTakingTurns()
    {
        var turns = await ImbalanceAsync("round_robin");
        var least = await ImbalanceAsync("least_work");

        output.WriteLine($"seed {Seed}: mean of max/mean of the work in flight: round_robin {turns:0.000}, least_work {least:0.000}");
        Assert.True(least - 1 < 0.7 * (turns - 1), $"least_work {least:0.000} is not clearly more even than round_robin {turns:0.000}");
    }

    [Fact]
    public async Task Affinity_RaisesTheEnginesCachedShare()
    {
        var turns = await CachedShareAsync("round_robin");
        var least = await CachedShareAsync("least_work");

        output.WriteLine($"seed {Seed}: prompt tokens found in the engines' caches: round_robin {turns:P1}, least_work {least:P1}");
        Assert.True(least > turns + 0.15, $"least_work {least:P1} is not clearly above round_robin {turns:P1}");
    }

    // Heavy-tailed prompts, each in flight until the end: the balance is that of what was placed, whatever the machine's speed.
    private static async Task<double> ImbalanceAsync(string policy)
    {
        await using var world = await GatewayWorld.StartAsync(4, (engine, _) => engine with { Faults = new() { StallAfterTokens = 0 } }, With(policy));
        var chance = new Random(Seed);
        using var leave = new CancellationTokenSource();
        var (sum, looks) = (0.0, 0);
        for (var i = 0; i < 80; i++)
        {
            var tokens = (int)Math.Min(4_000, 30 / Math.Pow(1 - chance.NextDouble(), 1 / 0.8));
            _ = world.AskAsync(Chat.Body(Chat.Words(tokens, i), 4, isStreaming: true), cancellationToken: leave.Token);
            var sent = i + 1;
            await Until.HoldsAsync(() => world.Running() == sent, $"request {i} is placed");
            if (i >= 20)
            {
                var reserved = world.Pool.ReplicaList.Select(replica => (double)replica.Snapshot().ReservedTokens).ToArray();
                sum += reserved.Max() / reserved.Average();
                looks++;
            }
        }
        await leave.CancelAsync();
        await Until.HoldsAsync(() => world.Running() == 0, "every reservation is returned");
        return sum / looks;
    }

    // Forty families of prompts over four engines whose caches hold a part of them each.
    private static async Task<double> CachedShareAsync(string policy)
    {
        await using var world = await GatewayWorld.StartAsync(4, (engine, _) => engine with { Speed = 50, KvBlocks = 1_600, MaxModelTokens = 8_192 }, With(policy));
        var chance = new Random(Seed);
        var families = Enumerable.Range(0, 240).Select(_ => chance.Next(24)).ToArray();
        await Parallel.ForAsync(0, families.Length, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (i, stop) =>
        {
            var reply = await world.AskAsync(Chat.Body([("system", Chat.Words(600, families[i])), ("user", $"{i} answer with 8 tokens")], 10), cancellationToken: stop);
            Assert.Equal(200, reply.Status);
        });
        var counters = world.Engines.Select(engine => engine.Counters).ToArray();
        return (double)counters.Sum(counter => counter.PrefixHitTokens) / counters.Sum(counter => counter.PrefixQueryTokens);
    }

    private static Func<GatewayOptions, GatewayOptions> With(string policy) => options => options with { Routing = new RoutingOptions { Policy = policy } };
}
