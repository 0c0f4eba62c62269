using Gateway.Coordination;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Coordination;

/// <summary>Against a real redis-server, where one is installed.</summary>
public sealed class RedisStateTests : SharedStateContract
{
    [Fact]
    public async Task Post_AfterAnEntrysLease_ShowsItNoMore()
    {
        await WithTwoAsync(async (a, b) =>
        {
            await a.PostAsync("x", [1], TimeSpan.FromMilliseconds(5), default);
            // By Redis' own clock; b's lease is as short, so that it sees no entry that is older.
            IReadOnlyList<BoardEntry> seen = [default];
            await Until.HoldsAsync(() => (seen = b.PostAsync("x", [2], TimeSpan.FromMilliseconds(5), default).AsTask().GetAwaiter().GetResult()).Count == 0, "the entry expired");

            Assert.Empty(seen);
        });
    }

    [Fact]
    public async Task Tell_OfAWholeBatch_ArrivesAsItWas()
    {
        await WithTwoAsync(async (a, b) =>
        {
            var batch = new byte[256 << 10];
            new Random(7).NextBytes(batch);
            await a.TellAsync(batch, null, default);

            Assert.Equal(batch, Assert.Single((await b.TellAsync([], null, default)).Batches));
        });
    }

    [Fact]
    public async Task Post_WhileNobodyListens_FailsWithinItsTimeoutAndWorksOnceRedisIsThere()
    {
        if (await RedisServer.TryStartAsync() is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await redis.KillAsync();
        await using var state = new RedisState(new RedisOptions { Servers = [redis.Endpoint], Timeout = TimeSpan.FromSeconds(1) }, null, "a", TimeProvider.System);

        await Assert.ThrowsAnyAsync<Exception>(() => Post(state, "x", 1).AsTask().ComesAsync("a failure"));
        await redis.StartAsync();
        await UntilItWorksAsync(state);

        Assert.Empty(await Post(state, "x", 2));
    }

    [Fact]
    public async Task Post_OnAConnectionThatFellSilentWithoutAnEnd_GoesOnByAnother()
    {
        if (await RedisServer.TryStartAsync() is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await using var relay = new SilentRelay(redis.Port);
        var options = new RedisOptions { Servers = [relay.Endpoint], Timeout = TimeSpan.FromMilliseconds(200), Lease = TimeSpan.FromMilliseconds(500) };
        await using var state = new RedisState(options, null, "a", TimeProvider.System);
        await UntilItWorksAsync(state);

        relay.Silence();
        await Assert.ThrowsAnyAsync<TimeoutException>(() => Post(state, "x", 1).AsTask().ComesAsync("a failure"));

        await UntilItWorksAsync(state);
    }

    [Fact]
    public async Task Post_OnABoardWithWhatNoGatewayWrote_ThrowsItAwayAndGoesOn()
    {
        if (await RedisServer.TryStartAsync() is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        await using var state = new RedisState(new RedisOptions { Servers = [redis.Endpoint], Timeout = TimeSpan.FromSeconds(10) }, null, "a", TimeProvider.System);
        Assert.Equal(":1\r\n", redis.Ask("HSET gateway:board:x other something-else"));

        Assert.Empty(await Post(state, "x", 1));

        Assert.Equal(":1\r\n", redis.Ask("HLEN gateway:board:x"));
    }

    [Fact]
    public Task Tell_AmongNewsThatNoGatewayWrote_HearsTheOthersAndGoesOn() => WithTwoAsync(async (redis, a, b) =>
    {
        Assert.StartsWith("$", redis.Ask("XADD gateway:news * word 1"), StringComparison.Ordinal);
        await a.TellAsync([7], null, default);

        var heard = await b.TellAsync([], null, default);
        var after = await b.TellAsync([], heard.Last, default);

        Assert.Equal([7], Assert.Single(heard.Batches));
        Assert.Empty(after.Batches);
    });

    private static Task UntilItWorksAsync(RedisState state) => Until.HoldsAsync(
        () => Post(state, "x", 1).AsTask().ContinueWith(posted => posted.IsCompletedSuccessfully, TaskScheduler.Default), "Redis answers");

    protected override Task WithTwoAsync(Func<ISharedState, ISharedState, Task> test) => WithTwoAsync((_, a, b) => test(a, b));

    private static async Task WithTwoAsync(Func<RedisServer, RedisState, RedisState, Task> test)
    {
        if (await RedisServer.TryStartAsync() is not { } redis)
        {
            return;
        }
        await using var _ = redis;
        var options = new RedisOptions { Servers = [redis.Endpoint], Timeout = TimeSpan.FromSeconds(10) };
        await using var a = new RedisState(options, null, "a", TimeProvider.System);
        await using var b = new RedisState(options, null, "b", TimeProvider.System);
        await test(redis, a, b);
    }
}
