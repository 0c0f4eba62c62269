using Gateway.Access;
using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Three gateways in front of the same engines, with a real Redis where one is installed.</summary>
public sealed class SeveralGatewaysTests
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Chat_AtOneGateway_IsSeenByTheOthersUntilItEnds()
    {
        await WithThreeAsync(async worlds =>
        {
            using (var open = new OpenChat(await worlds[0].PostAsync("/v1/chat/completions", Chat.Body("say 3 words", 100, isStreaming: true))))
            {
                foreach (var other in worlds.Skip(1))
                {
                    await GatewayWorld.UntilAsync(() => PeersOf(other).Requests == 1, "a peer's request is seen");
                    Assert.Equal(0, other.Pool.ReplicaList.Sum(replica => replica.Own.Requests));
                }
            }
            await AtRestAsync(worlds);
        }, stalls: true);
    }

    [Fact]
    public async Task Chat_OfAConversationAtAnotherGateway_GoesToTheReplicaThatHoldsIt()
    {
        await WithThreeAsync(async worlds =>
        {
            var system = Chat.Words(1_500, 1);
            var first = await worlds[0].AskAsync(Chat.Body([("system", system), ("user", "answer with 5 tokens")], 8, isStreaming: false));
            foreach (var other in worlds.Skip(1))
            {
                // And that it has ended: while its prompt counts as queued there, another replica may be the better place.
                await GatewayWorld.UntilAsync(() => other.Server.Core.Models[0].Prefixes.Blocks > 0 && PeersOf(other) == default, "the placement and its end are known");

                var reply = await other.AskAsync(Chat.Body([("system", system), ("user", "and another one with 5 tokens")], 8, isStreaming: false));

                Assert.Equal(first.Replica, reply.Replica);
                Assert.InRange(reply.Number("x-gateway-prefix-hit-tokens"), 1_000, 5_000);
            }
        });
    }

    [Fact]
    public async Task Chat_WhileRedisDiesAndComesBackAndIsFlushed_GoesOnAndConverges()
    {
        await WithThreeAsync(async (worlds, redis) =>
        {
            using (var open = new OpenChat(await worlds[0].PostAsync("/v1/chat/completions", Chat.Body("say 3 words", 100, isStreaming: true))))
            {
                await GatewayWorld.UntilAsync(() => PeersOf(worlds[1]).Requests == 1, "a peer's request is seen");

                await redis.KillAsync();
                await GatewayWorld.UntilAsync(() => PeersOf(worlds[1]).Requests == 0, "a peer that is not heard of is forgotten");
                await ShowsAsync(worlds[1], "gateway_redis_up 0\n");
                using (var meanwhile = await worlds[1].PostAsync("/v1/chat/completions", Chat.Body("say 3 words", 100, isStreaming: true)))
                {
                    Assert.True(meanwhile.IsSuccessStatusCode);
                }

                await redis.StartAsync();
                await GatewayWorld.UntilAsync(() => PeersOf(worlds[1]).Requests == 1 && PeersOf(worlds[2]).Requests == 1, "what is shared converges");
                await ShowsAsync(worlds[1], "gateway_redis_up 1\n");

                redis.Flush();
                await GatewayWorld.UntilAsync(() => PeersOf(worlds[1]).Requests == 1 && PeersOf(worlds[2]).Requests == 1, "a flush is made good");
            }
            await AtRestAsync(worlds);
        }, stalls: true);
    }

    [Fact]
    public async Task Peers_OfAGatewayThatDied_AreForgottenWithItsLease()
    {
        await WithThreeAsync(async (worlds, redis) =>
        {
            // One exchange and never a word again: that is what a killed process looks like from here.
            var ghost = GatewayCore.Create(worlds[0].Server.Core.Options, TimeProvider.System, new Random(1), hashKey: 1);
            ghost.Models[0].Pool.SetReplicas([.. worlds[0].Pool.ReplicaList.Select(replica => new ReplicaPlace(replica.Id, replica.Address, new ReplicaOptions { Url = replica.Address }))]);
            var view = ghost.Models[0].Pool.ReplicaList[0];
            view.OnProbed(ReplicaHealth.Up);
            using var reservation = view.TryReserve(new LoadProfile(100, 100, 50, 1), 1);
            await using var access = new RedisState(OptionsFor(redis), null, "ghost", TimeProvider.System);
            var coordinator = new Coordinator(access, OptionsFor(redis), () => ghost.SharedPools, () => ghost.Lengths, null, TimeProvider.System);

            await coordinator.ExchangeAsync(default);
            await GatewayWorld.UntilAsync(() => worlds.All(world => PeersOf(world).Requests == 1), "the ghost's request is seen");
            await GatewayWorld.UntilAsync(() => worlds.All(world => PeersOf(world).Requests == 0), "its lease ran out");

            await AtRestAsync(worlds);
        });
    }

    [Fact]
    public async Task Chat_OfATenantAtAllGateways_SharesItsLimit()
    {
        await WithThreeAsync(async worlds =>
        {
            var statuses = new List<int>();
            for (var i = 0; i < 6; i++)
            {
                using var response = await worlds[i % 3].PostAsync("/v1/chat/completions", Chat.Body("say 3 words", 4), default);
                statuses.Add((int)response.StatusCode);
            }

            Assert.Equal([200, 200, 200, 429, 429, 429], statuses);
        }, configure: options => options with
        {
            Access = new AccessOptions { AnonymousTenant = "all", Tenants = [new() { Name = "all", Limits = new() { RequestsPerMinute = 3 } }] },
        });
    }

    private static GatewayLoad PeersOf(GatewayWorld world) => world.Pool.ReplicaList.Aggregate(default(GatewayLoad), (sum, replica) => sum + replica.Snapshot().Peers);

    private static async Task AtRestAsync(IEnumerable<GatewayWorld> worlds)
    {
        foreach (var world in worlds)
        {
            await world.AtRestAsync();
        }
    }

    // A lease may run out on a busy machine before the break is noticed.
    private static Task ShowsAsync(GatewayWorld world, string line) =>
        Until.HoldsAsync(async () => (await MetricsAsync(world)).Contains(line, StringComparison.Ordinal), $"the metrics say {line}");

    private static async Task<string> MetricsAsync(GatewayWorld world) => await world.Client.GetStringAsync("/metrics");

    // The limits' deadline is long: what is shown is what is decided, not how fast this machine is.
    private static RedisOptions OptionsFor(RedisServer redis) => new()
    {
        Servers = [redis.Endpoint],
        Interval = TimeSpan.FromMilliseconds(20),
        Lease = Lease,
        LimitDeadline = TimeSpan.FromSeconds(1),
    };

    private static Task WithThreeAsync(Func<GatewayWorld[], Task> test, bool stalls = false, Func<GatewayOptions, GatewayOptions>? configure = null) =>
        WithThreeAsync((worlds, _) => test(worlds), stalls, configure);

    private static async Task WithThreeAsync(Func<GatewayWorld[], RedisServer, Task> test, bool stalls = false, Func<GatewayOptions, GatewayOptions>? configure = null)
    {
        if (await RedisServer.TryStartAsync() is not { } redis)
        {
            return;
        }
        await using var server = redis;
        await using var first = await GatewayWorld.StartAsync(
            3, (engine, _) => engine with { Speed = 50, Faults = stalls ? new EngineFaults { StallAfterTokens = 1 } : EngineFaults.None }, Shared);
        await using var second = await first.BesideAsync(Shared);
        await using var third = await first.BesideAsync(Shared);
        await test([first, second, third], redis);

        GatewayOptions Shared(GatewayOptions options) => (configure?.Invoke(options) ?? options) with { Redis = OptionsFor(redis) };
    }
}
