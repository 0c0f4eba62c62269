using System.Globalization;
using Gateway.Access;
using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.EndToEnd.Chaos;

/// <summary>Eight engines, three gateways and a Redis, all of which fail in turn, while clients compare every character: nothing is lost without a word, nothing is said twice, nothing stays held.</summary>
public sealed class ChaosTests(ITestOutputHelper output)
{
    private const int Engines = 8;
    private const int Gateways = 3;
    private const int Questions = 48;
    private const int AtOnce = 24;

    /// <summary>Requests of the long run: <c>GATEWAY_CHAOS_REQUESTS</c>, or 40,000.</summary>
    private static readonly int LongRequests =
        int.TryParse(Environment.GetEnvironmentVariable("GATEWAY_CHAOS_REQUESTS"), CultureInfo.InvariantCulture, out var requests) && requests > 0 ? requests : 40_000;

    [Fact]
    public Task Requests_ThroughFaultsOfEverything_LoseNoCharacterAndLeaveNothingBehind() => RunAsync(requests: 1_200, turns: 40, seed: 7);

    [Fact]
    [Trait("Category", "Long")]
    public Task Requests_ThroughFaultsOfEverythingForLong_LoseNoCharacterAndLeaveNothingBehind() => RunAsync(LongRequests, LongRequests / 40, seed: 8);

    private async Task RunAsync(int requests, int turns, int seed)
    {
        var redis = await RedisServer.TryStartAsync();
        output.WriteLine($"seed {seed}, {requests} requests, {AtOnce} at once, {Engines} engines, {Gateways} gateways, {(redis is null ? "no redis-server found: without Redis" : "with Redis")}");
        await using var fleet = await ChaosFleet.StartAsync(Engines, new SimulatedEngineOptions { Models = [GatewayWorld.Model], Speed = 20, Seed = seed });
        var questions = await ChaosQuestion.PrepareAsync(fleet.Running.First().Uri, Questions, new Random(seed));
        await using var gateways = new ChaosGateways(fleet, OptionsFor(fleet, redis));
        await gateways.StartAsync(Gateways);
        using var clients = new ChaosClients(gateways, questions);
        var schedule = new ChaosSchedule(fleet, gateways, redis, seed);

        var asking = Task.WhenAll(Enumerable.Range(0, AtOnce).Select(client => clients.AskAsync(requests, (seed * 1_000) + client)));
        await DisturbAsync(schedule, clients, asking, requests, turns);
        await asking.ComesAsync("the last answer", TimeSpan.FromMinutes(5));
        await schedule.EndAsync();

        output.WriteLine(schedule.ToString());
        output.WriteLine(clients.ToString());
        var continued = await gateways.ContinuedAsync();
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{continued} streams continued by another engine"));
        Assert.True(clients.Wrongs.IsEmpty, string.Join("\n", clients.Wrongs.Take(5)));
        Assert.Equal(requests, clients.Ended);
        Assert.InRange(clients.Whole, requests * 95 / 100, requests);
        Assert.InRange(schedule.Count, turns / 2, turns);
        await gateways.AssertNothingHeldAsync();
        await Until.HoldsAsync(() => fleet.Running.All(engine => engine.Counters is { Running: 0, Waiting: 0, UsedBlocks: 0 }), "the engines' room is free");
        if (redis is not null)
        {
            await redis.DisposeAsync();
        }
    }

    private static async Task DisturbAsync(ChaosSchedule schedule, ChaosClients clients, Task asking, int requests, int turns)
    {
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var turn = 1; turn < turns && !asking.IsCompleted; await looks.WaitForNextTickAsync())
        {
            if (clients.Ended >= (long)turn * requests / turns)
            {
                await schedule.TurnAsync(turn++);
            }
        }
    }

    private static GatewayOptions OptionsFor(ChaosFleet fleet, RedisServer? redis) => new()
    {
        Listen = new() { Urls = ["http://127.0.0.1:0"] },
        Models =
        [
            new() { Name = GatewayWorld.Model, Engine = EngineKind.Vllm, Replicas = [new ReplicaOptions { Dns = fleet.Uri }], Discovery = new() { Interval = TimeSpan.FromSeconds(1) } },
        ],
        Access = new AccessOptions { AnonymousTenant = "all", Tenants = [new() { Name = "all", Limits = new() { MaxConcurrent = 1_000 } }] },
        Redis = redis is null ? null : new RedisOptions { Servers = [redis.Endpoint], Interval = TimeSpan.FromMilliseconds(50), Lease = TimeSpan.FromSeconds(1), Timeout = TimeSpan.FromMilliseconds(200) },
        Resilience = new()
        {
            ConnectTimeout = TimeSpan.FromSeconds(1),
            FirstByteTimeout = TimeSpan.FromSeconds(2),
            StreamIdleTimeout = TimeSpan.FromMilliseconds(700),
            TotalTimeout = TimeSpan.FromSeconds(30),
            OpenDuration = TimeSpan.FromMilliseconds(300),
            Backoff = TimeSpan.FromMilliseconds(100),
            Health = new() { Interval = TimeSpan.FromMilliseconds(300), Timeout = TimeSpan.FromSeconds(1) },
        },
        Telemetry = new() { AccessLog = "off" },
    };
}
