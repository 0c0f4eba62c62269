using Gateway.Access;
using Gateway.Access.Limits;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Tests.Fixtures;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Access;

public sealed class DoorkeeperTests
{
    private static readonly PrefixHasher Hasher = new(7);
    private static readonly ModelOptions[] Models = [new() { Name = "big", Aliases = ["gpt-4", "b"] }, new() { Name = "small", Aliases = ["s"] }];

    private readonly Doorkeeper _door = new(new LimitLedger(TimeProvider.System), Hasher);

    public DoorkeeperTests() => _door.Directory = DirectoryOf(new AccessOptions());

    [Theory]
    [InlineData("Authorization", "Bearer key-of-a")]
    [InlineData("Authorization", "bearer   key-of-a ")]
    [InlineData("x-api-key", "key-of-a")]
    [InlineData("api-key", "key-of-a")]
    public void Identify_ByEachHeader_FindsTheTenant(string header, string value) => Assert.Equal("a", Identify((header, value))?.Tenant?.Name);

    [Theory]
    [InlineData("Authorization", "Bearer key-of-A", "not known")]
    [InlineData("Authorization", "Bearer ", "not known")]
    [InlineData("Authorization", "Basic key-of-a", "not known")]
    [InlineData("Authorization", "key-of-a", "not known")]
    [InlineData("x-api-key", "", "not known")]
    [InlineData("x-other", "key-of-a", "asks for")]
    public void Identify_WithoutAKnownKey_IsUnauthorized(string header, string value, string says)
    {
        var caller = _door.Identify(Headers((header, value)), out var problem);

        Assert.Null(caller);
        Assert.Equal((401, "invalid_api_key", "authentication_error"), (problem!.Status, problem.Code, problem.Type));
        Assert.Contains(says, problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Identify_WithTwoKeys_LooksAtTheFirstHeaderOnly()
    {
        Assert.Null(Identify(("Authorization", "Bearer wrong"), ("x-api-key", "key-of-a")));
        Assert.Null(_door.Identify(new HeaderDictionary { ["x-api-key"] = new(["key-of-a", "key-of-a"]) }, out _));
        Assert.Null(Identify(("x-api-key", new string('k', Doorkeeper.MaxKeyLength + 1))));
    }

    [Fact]
    public void Identify_WhereAnonymousMayEnter_StillRefusesAWrongKey()
    {
        _door.Directory = DirectoryOf(new AccessOptions { AnonymousTenant = "b" });

        Assert.Equal("b", Identify()!.Tenant!.Name);
        Assert.Null(Identify(("api-key", "wrong")));
    }

    [Fact]
    public void Identify_AtAnOpenGateway_IsAnybodyWhoMayAnything()
    {
        _door.Directory = null;

        var caller = Identify(("Authorization", "Bearer whatever"))!;

        Assert.Same(Caller.Anybody, caller);
        Assert.True(caller.MayUse("anything"));
        var request = CorePool.Request();
        Assert.Same(request, caller.Own(request, Headers()));
    }

    [Fact]
    public void MayUse_OfAListedModel_IncludesItsAliasesAndOfAListedAliasOnlyThat()
    {
        var (a, b) = (Identify(("api-key", "key-of-a"))!, Identify(("api-key", "key-of-b"))!);

        Assert.Equal([true, true, false, true], new[] { "big", "gpt-4", "small", "s" }.Select(a.MayUse));
        Assert.All(new[] { "big", "small", "s" }, model => Assert.True(b.MayUse(model)));
    }

    [Fact]
    public void Own_ForATenant_KeepsItsKeysApartAndItsPriorityWithinTheCeiling()
    {
        var request = CorePool.Request(session: 5) with { Priority = PriorityClass.Interactive, PriorityLevel = 9, Body = new BodyFacts { PreviousResponseKey = 3 } };
        var (a, b) = (Identify(("api-key", "key-of-a"))!, Identify(("api-key", "key-of-b"))!);

        var (ofA, ofB) = (a.Own(request, Headers(("x-llm-d-inference-fairness-id", "user-1"))), b.Own(request, Headers()));

        Assert.Equal((PriorityClass.Default, 0, true), (ofA.Priority, ofA.PriorityLevel, a.IsPriorityLowered));
        Assert.Equal((PriorityClass.Interactive, 9, false), (ofB.Priority, ofB.PriorityLevel, b.IsPriorityLowered));
        Assert.Equal((3.0, 1.0), (ofA.TenantWeight, ofB.TenantWeight));
        Assert.NotEqual(ofA.TenantKey, ofB.TenantKey);
        Assert.NotEqual(ofA.SessionKey, ofB.SessionKey);
        Assert.NotEqual(ofA.Body.PreviousResponseKey, ofB.Body.PreviousResponseKey);
        Assert.True(ofA.FlowKey != 0 && ofB.FlowKey == 0);
        Assert.Equal(ofA.SessionKey, Identify(("x-api-key", "key-of-a"))!.Own(request, Headers()).SessionKey);
    }

    [Fact]
    public void Own_WithCacheSalts_SharesNoPrefixBetweenTenants()
    {
        var request = CorePool.Request() with { Prefix = new PrefixFingerprint([1, 2, 3], 256) };
        Assert.Equal(request.Prefix, Identify(("api-key", "key-of-a"))!.Own(request, Headers()).Prefix);
        _door.Directory = DirectoryOf(new AccessOptions { CacheSalt = true });
        var (a, b) = (Identify(("api-key", "key-of-a"))!, Identify(("api-key", "key-of-b"))!);

        var (ofA, ofB) = (a.Own(request, Headers()).Prefix.Blocks, b.Own(request, Headers()).Prefix.Blocks);

        Assert.Empty(ofA.Intersect(ofB));
        Assert.Empty(ofA.Intersect(request.Prefix.Blocks));
        Assert.Equal(ofA, a.Own(request, Headers()).Prefix.Blocks);
        Assert.NotEqual(a.Terms.CacheSalt, b.Terms.CacheSalt);
        Assert.Matches("^[0-9a-f]{32}$", a.Terms.CacheSalt);
    }

    [Fact]
    public void OpsProblem_WithOpsKeys_AsksForThemAndForMetricsOnlyWhereToldTo()
    {
        _door.Directory = DirectoryOf(new AccessOptions { OpsKeyEnv = ["OPS"] });

        Assert.Equal(401, _door.OpsProblem(With(), isMetrics: false)!.Status);
        Assert.Equal(401, _door.OpsProblem(With(("api-key", "key-of-a")), isMetrics: false)!.Status);
        Assert.All([With(), With(("api-key", "key-of-a"))], asked => Assert.Contains("access.opsKeys", _door.OpsProblem(asked, isMetrics: false)!.Message, StringComparison.Ordinal));
        Assert.Null(_door.OpsProblem(With(("Authorization", "Bearer key-of-ops")), isMetrics: false));
        Assert.Null(_door.OpsProblem(With(), isMetrics: true));
        Assert.Null(Identify(("api-key", "key-of-ops")));

        _door.Directory = DirectoryOf(new AccessOptions { OpsKeyEnv = ["OPS"], ProtectMetrics = true });
        Assert.Equal(401, _door.OpsProblem(With(), isMetrics: true)!.Status);
    }

    private Caller? Identify(params (string Name, string Value)[] headers) => _door.Identify(Headers(headers), out _);

    private static HeaderDictionary Headers(params (string Name, string Value)[] headers)
    {
        var all = new HeaderDictionary();
        foreach (var (name, value) in headers)
        {
            all[name] = value;
        }
        return all;
    }

    private static DefaultHttpContext With(params (string Name, string Value)[] headers)
    {
        var http = new DefaultHttpContext();
        foreach (var (name, value) in headers)
        {
            http.Request.Headers[name] = value;
        }
        return http;
    }

    private static TenantDirectory DirectoryOf(AccessOptions options) => TenantDirectory.Create(
        options with
        {
            Tenants =
            [
                new() { Name = "a", Weight = 3, KeyEnv = ["A"], Models = ["big", "s"], Limits = new() { MaxPriority = PriorityClass.Default } },
                new() { Name = "b", KeyEnv = ["B"] },
            ],
        },
        new DirectorySources(Models, name => $"key-of-{name.ToLowerInvariant()}", [], Hasher, [1, 2, 3]));
}
