using Gateway.Learning;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

public sealed class RequestMetersTests : IDisposable
{
    private readonly TelemetryWorld _world = new();

    [Fact]
    public async Task OnCompleted_ManyModelsThatNobodyServes_CreateOneSeries()
    {
        for (var i = 0; i < 5_000; i++)
        {
            _world.Requests.OnCompleted(TelemetryWorld.Completed(model: null, asked: $"invented-{i}") with
            {
                Outcome = RequestOutcome.ClientError,
                StatusCode = 404,
                ErrorCode = $"code-{i}",
                ReplicaId = null,
            });
        }

        var page = await _world.ScrapeAsync();

        Assert.DoesNotContain("invented", page, StringComparison.Ordinal);
        Assert.DoesNotContain("code-", page, StringComparison.Ordinal);
        var series = Assert.Single(page.Split('\n'), line => line.StartsWith("gateway_requests_total{", StringComparison.Ordinal));
        Assert.Equal("""gateway_requests_total{code="404",model="unknown",route="/v1/chat/completions"} 5000""", series);
    }

    [Fact]
    public async Task OnCompleted_AnAnswer_CountsItWhereItBelongs()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed());

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_requests_total{code=\"200\",model=\"llama\",route=\"/v1/chat/completions\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_request_duration_seconds_bucket{model=\"llama\",route=\"/v1/chat/completions\",le=\"1.5\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_time_to_first_token_seconds_bucket{model=\"llama\",le=\"0.1\"} 0\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_time_to_first_token_seconds_bucket{model=\"llama\",le=\"0.2\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_queue_wait_seconds_sum{model=\"llama\",priority=\"interactive\"} 0.04\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_overhead_seconds_bucket{le=\"0.0005\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_prompt_tokens_total{model=\"llama\"} 410\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_output_tokens_total{model=\"llama\"} 40\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_prefix_hit_tokens_total{model=\"llama\"} 256\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_estimate_error_tokens_sum{model=\"llama\"} 24\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_estimate_coverage_ratio{model=\"llama\"} 1\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AModelNobodyServes_IsCountedAsUnknownAndNotNamed()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed(model: null, asked: "planted-word") with { ReplicaId = null, StatusCode = 404 });

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_requests_total{code=\"404\",model=\"unknown\",route=\"/v1/chat/completions\"} 1\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain("planted-word", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("queue_full", 429, RequestOutcome.Refused)]
    [InlineData("no_healthy_replicas", 503, RequestOutcome.Refused)]
    [InlineData("deadline_exceeded", 504, RequestOutcome.Failed)]
    public async Task OnCompleted_ARefusal_CountsItsReason(string code, int status, RequestOutcome outcome)
    {
        _world.Requests.OnCompleted(TelemetryWorld.Refused(code, status) with { Outcome = outcome });

        var page = await _world.ScrapeAsync();

        Assert.Contains($"gateway_refusals_total{{model=\"llama\",reason=\"{code}\"}} 1\n", page, StringComparison.Ordinal);
        Assert.DoesNotContain("\ngateway_overhead_seconds", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AnAnswerThatIsNotStreamed_HasNoTimeToFirstToken()
    {
        var whole = TelemetryWorld.Completed();

        _world.Requests.OnCompleted(whole with { Request = whole.Request! with { Body = BodyFacts.None } });
        var page = await _world.ScrapeAsync();

        Assert.DoesNotContain("\ngateway_time_to_first_token_seconds", page, StringComparison.Ordinal);
        Assert.Contains("gateway_output_tokens_total{model=\"llama\"} 40\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AStoredResponseReadAgain_CountsNoTokensTwice()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed());
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { Route = ApiRoute.StoredResponse });
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { Route = ApiRoute.CountTokens, Usage = null });

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_requests_total{code=\"200\",model=\"llama\",route=\"/v1/responses/{id}\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_prompt_tokens_total{model=\"llama\"} 410\n", page, StringComparison.Ordinal);
        Assert.Contains("gateway_output_tokens_total{model=\"llama\"} 40\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AClientThatLeft_SaysNothingAboutEstimates()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { Outcome = RequestOutcome.Canceled, StatusCode = 499, IsCensored = true });

        var page = await _world.ScrapeAsync();

        Assert.DoesNotContain("\ngateway_estimate_", page, StringComparison.Ordinal);
        Assert.Contains("gateway_requests_total{code=\"499\",model=\"llama\",route=\"/v1/chat/completions\"} 1\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_GenAiMetricsOn_RecordsTheConventionsNames()
    {
        const string where = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"unknown\",gen_ai_request_model=\"llama\",server_address=\"a.test\",server_port=\"8000\"";

        _world.Requests.OnCompleted(TelemetryWorld.Completed());
        var page = await _world.ScrapeAsync();

        Assert.Contains($"gen_ai_client_operation_duration_seconds_count{{{where}}} 1\n", page, StringComparison.Ordinal);
        Assert.Contains($"gen_ai_client_operation_time_to_first_chunk_seconds_bucket{{{where},le=\"0.25\"}} 1\n", page, StringComparison.Ordinal);
        Assert.Contains($"gen_ai_client_token_usage_sum{{{where.Replace(",server_address", ",gen_ai_token_type=\"input\",server_address", StringComparison.Ordinal)}}} 410\n", page, StringComparison.Ordinal);
        Assert.Contains($"gen_ai_client_token_usage_sum{{{where.Replace(",server_address", ",gen_ai_token_type=\"output\",server_address", StringComparison.Ordinal)}}} 40\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_GenAiMetricsOff_RecordsNoneOfThem()
    {
        _world.Options = new TelemetryOptions { GenAiMetrics = false };

        _world.Requests.OnCompleted(TelemetryWorld.Completed());
        var page = await _world.ScrapeAsync();

        Assert.DoesNotContain("gen_ai", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("planted-word")]
    [InlineData(null)]
    public async Task OnCompleted_ARefusalInAnEnginesOwnWords_IsCountedAsOther(string? code)
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { Outcome = RequestOutcome.Refused, ErrorCode = code, StatusCode = 429 });

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_refusals_total{model=\"llama\",reason=\"other\"} 1\n", page, StringComparison.Ordinal);
        Assert.Contains("error_type=\"429\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("planted-word", page, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shutting_down", "shutting_down")]
    [InlineData("upstream_stream_broken", "_OTHER")]
    [InlineData("planted-word", "_OTHER")]
    public async Task OnCompleted_AStreamThatWasCut_NamesOnlyTheGatewaysOwnStop(string code, string errorType)
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { Outcome = RequestOutcome.Failed, ErrorCode = code, StatusCode = 200 });

        var page = await _world.ScrapeAsync();

        Assert.Contains($"gen_ai_client_operation_duration_seconds_count{{error_type=\"{errorType}\"", page, StringComparison.Ordinal);
        Assert.DoesNotContain("planted-word", page, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OnCompleted_AStatusThatIsNone_IsCountedAsOther()
    {
        _world.Requests.OnCompleted(TelemetryWorld.Completed() with { StatusCode = 12_345 });

        var page = await _world.ScrapeAsync();

        Assert.Contains("gateway_requests_total{code=\"other\",model=\"llama\"", page, StringComparison.Ordinal);
    }

    public void Dispose() => _world.Dispose();
}
