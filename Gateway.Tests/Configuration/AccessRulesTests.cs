using Gateway.Access;
using Gateway.Requests;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class AccessRulesTests
{
    private const string A = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

    [Theory]
    [InlineData("access: {}", "4:9 access: no tenant is configured, so nobody could enter. Give at least one with a name and its keys.")]
    [InlineData("access: { tenants: [{ keys: [" + A + "] }] }", "4:21 access.tenants[0].name: is required.")]
    [InlineData("access: { tenants: [{ name: 'a b', keys: [" + A + "] }] }", "4:29 access.tenants[0].name: a tenant's name has up to 64 letters, digits and any of . _ -")]
    [InlineData("access: { tenants: [{ name: a }] }", "4:21 access.tenants[0]: has no key. Give keys or keyEnv, or access.keysFile.")]
    [InlineData("access: { tenants: [{ name: a, colour: red, keys: [" + A + "] }] }", "4:32 access.tenants[0].colour: unknown setting. Known: name, weight, keys, keyEnv, models, trusted, limits.")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "], weight: 0 }] }", "4:121 access.tenants[0].weight: 0 is too small. Allowed: 0.001 to 1000.")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "], weight: -1 }] }", "4:121 access.tenants[0].weight: -1 is too small. Allowed: 0.001 to 1000.")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "], models: [mm] }] }", "4:122 access.tenants[0].models[0]: no model or alias is called \"mm\". Did you mean \"m\"?")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + ", " + A + "] }] }", "4:112 access.tenants[0].keys[1]: the same key as access.tenants[0].keys[0]. A key belongs to one tenant.")]
    [InlineData("access: { tenants: [{ name: a, keys: [my-secret] }] }", "4:39 access.tenants[0].keys[0]: is not the hash of a key. Write sha256: and the 64 hexadecimal digits of the key's SHA-256; the key itself does not belong in this file.")]
    [InlineData("access: { tenants: [{ name: a, keyEnv: [UNSET] }] }", "4:41 access.tenants[0].keyEnv[0]: the environment variable that this names is not set.")]
    [InlineData("access: { anonymousTenant: b, tenants: [{ name: bb, keys: [" + A + "] }] }", "4:28 access.anonymousTenant: no tenant is called \"b\". Did you mean \"bb\"?")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "] }], opsKeys: [" + A + "] }", "4:126 access.opsKeys[0]: the same key as access.tenants[0].keys[0]. A key belongs to one tenant.")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "] }], protectMetrics: true }", "4:132 access.protectMetrics: needs an ops key: give access.opsKeys or access.opsKeyEnv.")]
    [InlineData("access: { tenants: [{ name: a, keys: [" + A + "], limits: { maxPriority: urgent } }] }", "4:136 access.tenants[0].limits.maxPriority: \"urgent\" is none of: interactive, default, batch.")]
    public void Load_OfAMistakenTenant_SaysWhereAndWhatIsAllowed(string mistake, string expected)
    {
        var problems = Bad(OneModel + mistake);

        Assert.Equal(["test.yaml:" + expected], problems);
        Assert.DoesNotContain("my-secret", string.Join("", problems), StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfAKeyThatIsAnothersVariableToo_IsRefused()
    {
        var problem = Assert.Single(Bad(OneModel + "access: { tenants: [{ name: a, keyEnv: K1 }, { name: b, keyEnv: [K2] }] }", ("K1", "same"), ("K2", "same")));

        Assert.Equal("test.yaml:4:66 access.tenants[1].keyEnv[0]: the same key as access.tenants[0].keyEnv. A key belongs to one tenant.", problem);
    }

    [Fact]
    public void Load_OfATenant_KnowsItsModelsByAliasAndItsLimits()
    {
        var access = Good(
            "models: [{ name: m, aliases: [x], replicas: [http://a:1] }]\naccess: { anonymousTenant: a, tenants: [{ name: a, models: [x], weight: 2.5, limits: { maxPriority: batch, dailyTokens: 7 } }] }").Access!;

        var tenant = Assert.Single(access.Tenants);
        Assert.Equal((2.5, PriorityClass.Batch, 7L), (tenant.Weight, tenant.Limits.MaxPriority!.Value, tenant.Limits.DailyTokens!.Value));
        Assert.Equal(new LimitOptions(), access.Defaults);
    }

    [Fact]
    public void Load_WithoutTheSection_LeavesTheGatewayOpen() => Assert.Null(Good(OneModel).Access);
}
