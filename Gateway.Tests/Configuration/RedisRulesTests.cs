using Gateway.Configuration;
using Gateway.Coordination;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class RedisRulesTests
{
    [Theory]
    [InlineData("redis: {}", "4:8 redis.endpoints: is required.")]
    [InlineData("redis: { endpoints: [] }", "4:21 redis.endpoints: at least one is needed, such as redis:6379.")]
    [InlineData("redis: { endpoints: [redis] }", "4:22 redis.endpoints[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { endpoints: 'user:word@redis:6379' }", "4:21 redis.endpoints: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { endpoints: ['redis:0'] }", "4:22 redis.endpoints[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { endpoints: ['redis:99999'] }", "4:22 redis.endpoints[0]: is no host:port, such as redis:6379. A password belongs in the variable that passwordEnv names.")]
    [InlineData("redis: { endpoints: ['r:1'], keyPrefix: 'a b' }", "4:41 redis.keyPrefix: has up to 64 letters, digits and any of . _ : { } -")]
    [InlineData("redis: { endpoints: ['r:1'], passwordEnv: 'pass word' }", "4:43 redis.passwordEnv: is not the name of an environment variable. The key itself does not belong in this file.")]
    [InlineData("redis: { endpoints: ['r:1'], secretEnv: UNSET }", "4:41 redis.secretEnv: the environment variable that this names is not set.")]
    [InlineData("redis: { endpoints: ['r:1'], interval: 2s, lease: 5s }", "4:51 redis.lease: must be at least 3 times redis.interval: else a gateway would be taken for dead between two exchanges.")]
    [InlineData("redis: { endpoints: ['r:1'], ttl: 2s }", "4:30 redis.ttl: unknown setting.")]
    public void Load_OfAMistake_SaysWhereAndWhatIsAllowed(string mistake, string expected)
    {
        var problems = Bad(OneModel + mistake);

        Assert.Equal(["test.yaml:" + expected], problems);
        Assert.DoesNotContain("word@", string.Join("", problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfPlaces_TakesNamesAndAddresses()
    {
        var redis = Good(OneModel + "redis: { endpoints: ['redis.llm.svc:6379', '10.0.0.1:6380', '[fd00::1]:6379'], passwordEnv: P }", ("P", "x")).Redis!;

        Assert.Equal(["redis.llm.svc:6379", "10.0.0.1:6380", "[fd00::1]:6379"], redis.Endpoints);
        Assert.Equal("P", redis.PasswordEnv);
        Assert.Null(Good(OneModel).Redis);
    }

    [Fact]
    public void Changed_OfRedisSettings_NeedsARestart()
    {
        var before = new GatewayOptions { Redis = new RedisOptions { Endpoints = ["a:1"] } };

        Assert.Empty(RestartKeys.Changed(before, before with { Redis = new RedisOptions { Endpoints = ["a:1"] } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = new RedisOptions { Endpoints = ["b:1"] } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = new RedisOptions { Endpoints = ["a:1"], Tls = true } }));
        Assert.Equal(["redis"], RestartKeys.Changed(before, before with { Redis = null }));
    }
}
