using Gateway.Coordination;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Coordination;

/// <summary>Against a real redis-server that is a cluster of one node.</summary>
public sealed class RedisClusterTests : SharedStateContract
{
    protected override async Task WithTwoAsync(Func<ISharedState, ISharedState, Task> test)
    {
        var file = Path.Combine(Path.GetTempPath(), $"nodes-{Guid.NewGuid():N}.conf");
        if (await RedisServer.TryStartAsync($"--cluster-enabled yes --cluster-config-file {file} --cluster-announce-ip 127.0.0.1") is not { } redis)
        {
            return;
        }
        try
        {
            Assert.Equal("+OK\r\n", redis.Ask("CLUSTER ADDSLOTSRANGE 0 16383"));
            await Until.HoldsAsync(() => redis.Ask("CLUSTER INFO").Contains("cluster_state:ok", StringComparison.Ordinal), "the cluster has all its slots");
            var options = new RedisOptions { Servers = [redis.Endpoint], Timeout = TimeSpan.FromSeconds(10) };
            await using var a = new RedisState(options, null, "a", TimeProvider.System);
            await using var b = new RedisState(options, null, "b", TimeProvider.System);
            await test(a, b);
        }
        finally
        {
            await redis.DisposeAsync();
            File.Delete(file);
        }
    }
}
