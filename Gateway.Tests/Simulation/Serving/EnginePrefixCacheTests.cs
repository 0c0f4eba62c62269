using Gateway.Simulation.Serving;

namespace Gateway.Tests.Simulation.Serving;

/// <summary>What an engine tells of its prefix cache.</summary>
public sealed class EnginePrefixCacheTests
{
    [Fact]
    public async Task Chat_AtAnEngineThatTellsNoCachedTokens_StillCountsThem()
    {
        await using var silent = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Speed = 20, TellsCachedTokens = false }, default);
        using var client = new EngineClient(silent);
        var body = $$"""{"messages":[{"role":"user","content":"{{string.Concat(Enumerable.Repeat("long ", 50))}} answer with 1 token"}]}""";
        await client.PostJsonAsync("/v1/chat/completions", body);

        var second = await client.PostJsonAsync("/v1/chat/completions", body);

        Assert.False(second.GetProperty("usage").TryGetProperty("prompt_tokens_details", out _));
        Assert.True(silent.Counters.PrefixHitTokens >= 48);
    }

    [Fact]
    public async Task Metrics_OfAnEngineWithoutAPrefixCache_SaySo()
    {
        await using var plain = await SimulatedEngine.StartAsync(new SimulatedEngineOptions { CachesPrefixes = false }, default);
        using var client = new EngineClient(plain);

        Assert.Contains("enable_prefix_caching=\"False\"", await client.Http.GetStringAsync(new Uri("/metrics", UriKind.Relative)), StringComparison.Ordinal);
    }
}
