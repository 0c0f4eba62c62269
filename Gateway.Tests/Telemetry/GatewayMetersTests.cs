using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class GatewayMetersTests : IDisposable
{
    private readonly TelemetryWorld _world = new();

    [Fact]
    public async Task OnTokenGap_OnceTheModelWasSeen_DoesNotAllocate()
    {
        const int gaps = 10_000;
        RecordGaps(gaps);
        var before = GC.GetAllocatedBytesForCurrentThread();

        RecordGaps(gaps);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(0, allocated);
        Assert.Contains($"gateway_inter_token_latency_seconds_count{{model=\"llama\"}} {2 * gaps}\n", await _world.ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Prepare_AQuietGateway_ShowsErrorsAsZero()
    {
        _world.Meters.Prepare([TelemetryWorld.Model]);

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_refusals_total{model=\"llama\",reason=\"queue_full\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_refusals_total{model=\"llama\",reason=\"no_healthy_replicas\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_config_reloads_total{outcome=\"rejected\"} 0\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Scrape_TwoGatewaysInOneProcess_ShowOnlyTheirOwn()
    {
        using var neighbour = new TelemetryWorld();

        neighbour.Meters.OnRetry("theirs", "http_502");
        _world.Meters.OnRetry("ours", "http_502");

        Assert.DoesNotContain("theirs", await _world.ScrapeAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("ours", await neighbour.ScrapeAsync(), StringComparison.Ordinal);
        Assert.Contains("gateway_retries_total{model=\"ours\",reason=\"http_502\"} 1\n", await _world.ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public void BoundedLabel_BeyondItsLimit_CountsTheRestAsOneAndKeepsTheFirst()
    {
        var label = new BoundedLabel(2);

        var seen = new[] { "a", "b", "c", "d", "a" }.Select(label.Of);

        Assert.Equal(["a", "b", "other", "other", "a"], seen);
    }

    public void Dispose() => _world.Dispose();

    private void RecordGaps(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _world.Meters.OnTokenGap(TelemetryWorld.Model, i * 0.0001);
        }
    }
}
