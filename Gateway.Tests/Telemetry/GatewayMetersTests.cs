using Gateway.Api;
using Gateway.Forwarding.Attempts;
using Gateway.Learning;
using Gateway.Queueing;
using Gateway.Requests;
using Gateway.Telemetry;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Telemetry;

public sealed class GatewayMetersTests : IDisposable
{
    private readonly TelemetryWorld _world = new();

    [Fact]
    public async Task OnTokenGap_OnceTheModelWasSeen_DoesNotAllocate()
    {
        const int gaps = 10_000;
        var runs = 0;

        var allocated = Allocations.Least(() =>
        {
            RecordGaps(gaps);
            runs++;
        });

        Assert.Equal(0, allocated);
        Assert.Contains($"gateway_inter_token_latency_seconds_count{{model=\"llama\"}} {runs * gaps}\n", await _world.ScrapeAsync(), StringComparison.Ordinal);
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
    public void IsRefusal_OfEveryEndingThatCountsAsOne_KnowsItsCode()
    {
        var problems = Enum.GetValues<AdmissionOutcome>().Where(outcome => outcome != AdmissionOutcome.Admitted).Select(outcome => OutcomeMap.Of(outcome, "m", null))
            .Concat(Enum.GetValues<FailureKind>().Where(kind => kind is not (FailureKind.ClientBody or FailureKind.ClientFault)).SelectMany(kind => new[] { 0, 429, 503 }.Select(status => OutcomeMap.Of(new AttemptFailure(kind, status), "m", "/v1/x", "vllm", null))))
            .Append(OutcomeMap.Overloaded());

        var refused = problems.Where(problem => OutcomeMap.OutcomeOf(problem.Status) == RequestOutcome.Refused).Select(problem => problem.Code);

        Assert.All(refused, code => Assert.True(GatewayMeters.IsRefusal(code), code));
        Assert.Contains("upstream_busy", refused);
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
    public async Task OnRoutingDecision_EveryReason_HasAWordOfItsOwn()
    {
        var reasons = Enum.GetValues<PlacementReason>().Where(reason => reason != PlacementReason.None).ToList();
        foreach (var reason in reasons)
        {
            _world.Meters.OnRoutingDecision(TelemetryWorld.Model, reason);
        }

        var page = await _world.ScrapeAsync();

        Assert.Equal(reasons.Count, page.Split('\n').Count(line => line.StartsWith("gateway_routing_decisions_total{", StringComparison.Ordinal) && line.EndsWith(" 1", StringComparison.Ordinal)));
        Assert.DoesNotContain("reason=\"other\"", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnRetry_ThousandsOfReasons_StayFewSeries()
    {
        for (var i = 0; i < 5_000; i++)
        {
            _world.Meters.OnRetry(TelemetryWorld.Model, $"reason_{i}");
        }

        var page = await _world.ScrapeAsync();

        var series = page.Split('\n').Where(line => line.StartsWith("gateway_retries_total{", StringComparison.Ordinal)).ToList();
        Assert.InRange(series.Count, 2, 65);
        Assert.Contains(series, line => line.Contains("reason=\"other\"", StringComparison.Ordinal));
    }

    [Fact]
    public void BoundedLabel_BeyondItsLimit_CountsTheRestAsOneAndKeepsTheFirst()
    {
        var label = new BoundedLabel(2);

        var seen = new[] { "a", "b", "c", "d", "a" }.Select(label.Of);

        Assert.Equal(["a", "b", "other", "other", "a"], seen);
    }

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task OnChunkGap_WithTheTagsOfAnAttempt_DoesNotAllocateAndNamesTheReplica()
    {
        var tags = _world.Meters.GenAiTagsOf(ApiKind.ChatCompletions, TelemetryWorld.Model, _world.Pool.Find("a"))!;
        var gaps = 0;

        var allocated = Allocations.Least(() =>
        {
            for (var i = 0; i < 1_000; i++, gaps++)
            {
                _world.Meters.OnChunkGap(tags, 0.02);
            }
        });

        Assert.Equal(0, allocated);
        Assert.Contains(
            $"gen_ai_client_operation_time_per_output_chunk_seconds_count{{gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"unknown\",gen_ai_request_model=\"llama\",server_address=\"a.test\",server_port=\"8000\"}} {gaps}\n",
            await _world.ScrapeAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public void GenAiTagsOf_ARouteWithoutAWord_AreNone() =>
        Assert.Null(_world.Meters.GenAiTagsOf(ApiKind.Rerank, TelemetryWorld.Model, null));

    [Fact]
    public void GenAiTagsOf_AFleetWhoseAddressesChange_StayFew()
    {
        var servers = new HashSet<object?>();
        for (var i = 0; i < 1_000; i++)
        {
            _world.SetReplicas($"pod-{i}");
            servers.Add(_world.Meters.GenAiTagsOf(ApiKind.ChatCompletions, TelemetryWorld.Model, _world.Pool.ReplicaList[0])!.Single(tag => tag.Key == "server.address").Value);
        }

        Assert.Equal(257, servers.Count);
        Assert.Contains("other", servers);
    }

    private void RecordGaps(int count)
    {
        for (var i = 0; i < count; i++)
        {
            _world.Meters.OnTokenGap(TelemetryWorld.Model, i * 0.0001);
        }
    }
}
