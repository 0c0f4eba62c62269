using Gateway.Configuration;
using Gateway.Coordination;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class RedisRulesTests
{
    [Theory]
    [InlineData("redis: {}", "4:8 redis.servers: is required.")]
    [InlineData("redis: { servers: [] }", "4:19 redis.servers: at least one is needed, such as redis:6379.")]
    [InlineData("redis: { servers: [redis] }", "4:20 redis.servers[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { servers: 'user:word@redis:6379' }", "4:19 redis.servers: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { servers: ['redis:0'] }", "4:20 redis.servers[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { servers: ['redis:99999'] }", "4:20 redis.servers[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { servers: ['r:1'], keyPrefix: 'a b' }", "4:39 redis.keyPrefix: has up to 64 letters, digits and any of . _ : { } -")]
    [InlineData("redis: { servers: ['r:1'], passwordEnv: 'pass word' }", "4:41 redis.passwordEnv: is not the name of an environment variable. The key itself does not belong in this file.")]
    [InlineData("redis: { servers: ['r:1'], secretEnv: UNSET }", "4:39 redis.secretEnv: the environment variable that this names is not set.")]
    [InlineData("redis: { servers: ['r:1'], interval: 2s, lease: 5s }", "4:49 redis.lease: must be at least 3 times redis.interval: else a gateway would be taken for dead between two exchanges.")]
    [InlineData("redis: { servers: ['r:1'], caFile: ca.crt }", "4:36 redis.caFile: says whom to trust with TLS, and tls is off. Write tls: true, or take it away.")]
    [InlineData("redis: { servers: ['r:1'], ttl: 2s }", "4:28 redis.ttl: unknown setting. Known: servers, passwordEnv, tls, caFile, keyPrefix, secretEnv, interval, lease, timeout, limitDeadline, hintBlocks.")]
    public void Load_OfAMistake_SaysWhereAndWhatIsAllowed(string mistake, string expected)
    {
        var problems = Bad(OneModel + mistake);

        Assert.Equal(["test.yaml:" + expected], problems);
        Assert.DoesNotContain("word@", string.Join("", problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfPlaces_TakesNamesAndAddresses()
    {
        var redis = Good(OneModel + "redis: { servers: ['redis.llm.svc:6379', '10.0.0.1:6380', '[fd00::1]:6379'], passwordEnv: P }", ("P", "x")).Redis!;

        Assert.Equal(["redis.llm.svc:6379", "10.0.0.1:6380", "[fd00::1]:6379"], redis.Servers);
        Assert.Equal("P", redis.PasswordEnv);
        Assert.Null(Good(OneModel).Redis);
    }

    [Fact]
    public void Changed_OfRedisSettings_NeedsARestart()
    {
        var before = new GatewayOptions { Redis = new RedisOptions { Servers = ["a:1"] } };

        Assert.Empty(RestartKeys.Changed(before, before with { Redis = new RedisOptions { Servers = ["a:1"] } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = new RedisOptions { Servers = ["b:1"] } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = new RedisOptions { Servers = ["a:1"], Tls = true } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = null }));
    }
}
