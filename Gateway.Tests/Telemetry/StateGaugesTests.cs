using Gateway.Replicas;

namespace Gateway.Tests.Telemetry;

public sealed class StateGaugesTests : IDisposable
{
    private readonly TelemetryWorld _world = new();

    [Fact]
    public async Task Scrape_TheFleet_ShowsEachReplica()
    {
        var replica = _world.Pool.Find("a")!;
        replica.OnProbed(ReplicaHealth.Up);
        replica.Observe(new EngineReport { KvCapacityTokens = 10_000, KvUsage = 0.04 });
        using var reservation = replica.TryReserve(new LoadProfile(500, 500, 100, 1), 1);

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_replica_up{model=\"llama\",replica=\"a\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_replica_up{model=\"llama\",replica=\"b\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_replica_inflight_requests{model=\"llama\",replica=\"a\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_replica_reserved_tokens{model=\"llama\",replica=\"a\"} 600\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_replica_kv_capacity_tokens{model=\"llama\",replica=\"a\"} 10000\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain("gateway_replica_kv_capacity_tokens{model=\"llama\",replica=\"b\"}", page, StringComparison.Ordinal);
        Assert.Contains("gateway_ledger_drift_tokens{model=\"llama\",replica=\"a\"} 100\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_queue_depth{model=\"llama\",priority=\"batch\"} 12\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scrape_AfterAReplicaLeft_DoesNotShowItAnyMore()
    {
        Assert.Contains("replica=\"b\"", await _world.ScrapeAsync(), StringComparison.Ordinal);

        _world.SetReplicas("a");
        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_replica_up{model=\"llama\",replica=\"a\"} 0\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain("replica=\"b\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scrape_TwiceWithNothingBetween_ShowsEveryCounterAsItWas()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed());

        var (first, second) = (Counters(await _world.ScrapeAsync()), Counters(await _world.ScrapeAsync()));

        Assert.Contains("gateway_redis_failures_total 2", first);
        Assert.Equal(first, second);

        static string[] Counters(string page) => [.. page.Split('\n').Where(line => line.StartsWith("gateway_", StringComparison.Ordinal) && line.Contains("_total", StringComparison.Ordinal))];
    }

    [Fact]
    public async Task Scrape_AfterThousandsOfReplicasCameAndWent_StillShowsTheOnesThatAreThere()
    {
        const int generations = 2_100;
        for (var generation = 0; generation < generations; generation++)
        {
            _world.SetReplicas($"pod-{generation}");
            await _world.ScrapeAsync();
        }

        var page = await _world.ScrapeAsync();

        Assert.Contains($"gateway_replica_up{{model=\"llama\",replica=\"pod-{generations - 1}\"}} 0\n", page, StringComparison.Ordinal);
    }

    public void Dispose() => _world.Dispose();
}
