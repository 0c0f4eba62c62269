using System.Text;
using System.Text.RegularExpressions;
using Gateway.Tests.Fakes;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.EndToEnd;

/// <summary>Traces as a collector receives them from the program, switched on by OpenTelemetry's own variables.</summary>
public sealed partial class TraceTests : IAsyncLifetime
{
    private const string TraceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    private const string ClientSpan = "00f067aa0ba902b7";
    private const string Planted = "pomegranate";

    private ScriptedEngine _first = null!;
    private ScriptedEngine _second = null!;
    private OtlpReceiver _collector = null!;
    private int _calls;

    public async Task InitializeAsync()
    {
        (_first, _second) = (new ScriptedEngine(AnswerAsync), new ScriptedEngine(AnswerAsync));
        _collector = await OtlpReceiver.StartAsync();
    }

    public async Task DisposeAsync()
    {
        await _collector.DisposeAsync();
        await _first.DisposeAsync();
        await _second.DisposeAsync();
    }

    [Fact]
    public async Task Chat_InAClientsTrace_ExportsItsSpansInOneTree()
    {
        await using var served = await ServeAsync(("OTEL_SERVICE_NAME", "edge"), ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test"));

        await ChatAsync(served, $"00-{TraceId}-{ClientSpan}-01");
        await Until.HoldsAsync(() => Spans().Length == 6, "six spans are exported");

        var server = Span("chat demo", kind: 2);
        var attempts = Spans().Where(span => span.Kind == 3).OrderBy(span => span.Attributes["gateway.attempt"], StringComparer.Ordinal).ToArray();
        Assert.All(Spans(), span => Assert.Equal(TraceId, span.TraceId));
        Assert.Equal(ClientSpan, server.ParentId);
        Assert.All([.. attempts, Span("queue"), Span("placement")], span => Assert.Equal(server.Id, span.ParentId));
        Assert.Equal(attempts[1].Id, Span("stream").ParentId);
        Assert.All(Spans(), span => Assert.InRange(span.End, span.Start, server.End));
        Assert.Equal(["true", "false"], attempts.Select(span => span.IsError ? "true" : "false"));
        Assert.Equal("engine_error", attempts[0].Attributes["error.type"]);
        Assert.Equal("rojo=00f067aa0ba902b7", server.TraceState);
        Assert.Equal(("edge", "test"), (server.Resource["service.name"], server.Resource["deployment.environment.name"]));
        AssertAttributes(server, ("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "demo"), ("gen_ai.request.stream", "true"), ("gen_ai.request.max_tokens", "7"),
            ("gen_ai.usage.output_tokens", "2"), ("gen_ai.usage.input_tokens", "5"), ("http.response.status_code", "200"), ("http.route", "/v1/chat/completions"),
            ("gateway.outcome", "success"), ("gateway.retries", "1"));
        AssertAttributes(attempts[1], ("gen_ai.provider.name", "vllm"), ("server.address", "127.0.0.1"), ("gateway.attempt", "2"));
        Assert.Contains("gen_ai.response.time_to_first_chunk", attempts[1].Attributes.Keys);
        AssertAttributes(Span("queue"), ("gateway.queue.outcome", "Admitted"));
        Assert.All(_collector.Bodies, export => Assert.DoesNotContain(Planted, Encoding.Latin1.GetString(export.Body), StringComparison.OrdinalIgnoreCase));
    }

    [Fact]
    public async Task AttemptToGoOn_ThatFails_IsAFailedSpan()
    {
        _first.Script = _second.Script = async call =>
        {
            if (Interlocked.Increment(ref _calls) == 1)
            {
                await call.BeginStreamAsync();
                await call.ChunkAsync(RawEngine.Frame("a"));
                call.Reset();
                return;
            }
            await AnswerAsync(call, failsAt: 3);
        };
        await using var served = await ServeAsync();

        await ChatAsync(served, $"00-{TraceId}-{ClientSpan}-01");
        await Until.HoldsAsync(() => Spans().Any(span => span.Kind == 2), "the request's span is exported");

        var attempts = Spans().Where(span => span.Kind == 3).OrderBy(span => span.Attributes["gateway.attempt"], StringComparer.Ordinal).ToArray();
        Assert.Equal([null, "engine_error", null], attempts.Select(span => span.Attributes.GetValueOrDefault("error.type")));
    }

    [Fact]
    public async Task Attempts_ToTheEngines_CarryTheirOwnSpanAndTheClientsState()
    {
        await using var served = await ServeAsync();

        await ChatAsync(served, $"00-{TraceId}-{ClientSpan}-01");
        await Until.HoldsAsync(() => Spans().Length == 6, "six spans are exported");

        var sent = _first.Calls.Concat(_second.Calls).Select(call => call.Header("traceparent").Single()).Order(StringComparer.Ordinal);
        Assert.Equal(Spans().Where(span => span.Kind == 3).Select(span => $"00-{TraceId}-{span.Id}-01").Order(StringComparer.Ordinal), sent);
        Assert.All(_first.Calls.Concat(_second.Calls), call => Assert.Equal("rojo=00f067aa0ba902b7", call.Header("tracestate").Single()));
    }

    [Fact]
    public async Task Metrics_OfATracedRequest_ShowItsTraceAsExemplar()
    {
        await using var served = await ServeAsync();

        await ChatAsync(served, $"00-{TraceId}-{ClientSpan}-01");
        await Until.HoldsAsync(() => Spans().Length == 6, "six spans are exported");
        using var ask = new HttpRequestMessage(HttpMethod.Get, "/metrics");
        ask.Headers.TryAddWithoutValidation("Accept", "application/openmetrics-text; version=1.0.0");
        using var answer = await served.Client.SendAsync(ask);
        var page = await answer.Content.ReadAsStringAsync();

        Assert.EndsWith("# EOF\n", page, StringComparison.Ordinal);
        foreach (var family in new[] { "gateway_time_to_first_token_seconds", "gateway_request_duration_seconds", "gateway_queue_wait_seconds", "gen_ai_client_operation_duration_seconds" })
        {
            var exemplar = Assert.Single(Exemplar().Matches(page), match => match.Groups["family"].Value == family);
            Assert.Equal((TraceId, Span("chat demo", kind: 2).Id), (exemplar.Groups["trace"].Value, exemplar.Groups["span"].Value));
        }
    }

    [Fact]
    public async Task Chat_WithASamplerThatTakesNothing_ExportsNothingAndTellsTheEngines()
    {
        await using var served = await ServeAsync(("OTEL_TRACES_SAMPLER", "always_off"));

        await ChatAsync(served, $"00-{TraceId}-{ClientSpan}-01");
        served.Process.Signal("TERM");
        await served.Process.ExitAsync();

        Assert.Empty(Spans());
        Assert.All(_first.Calls.Concat(_second.Calls), call => Assert.Matches($"^00-{TraceId}-[0-9a-f]{{16}}-00$", call.Header("traceparent").Single()));
    }

    [Fact]
    public async Task Chat_WithoutAnEndpoint_PassesTheClientsTraceOnUntouched()
    {
        await using var world = await GatewayWorld.BeforeAsync([_first, _second]);

        using var response = await world.PostAsync(
            "/v1/chat/completions", Chat.Body(Planted, isStreaming: true), [("traceparent", $"00-{TraceId}-{ClientSpan}-01"), ("tracestate", "rojo=1")]);
        await response.Content.ReadAsStringAsync();

        Assert.All(_first.Calls.Concat(_second.Calls), call =>
            Assert.Equal(($"00-{TraceId}-{ClientSpan}-01", "rojo=1"), (call.Header("traceparent").Single(), call.Header("tracestate").Single())));
    }

    [Fact]
    public async Task Chat_WithoutAnEndpoint_StandsInTheAccessLogUnderTheClientsTrace()
    {
        var log = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        var world = await GatewayWorld.BeforeAsync([_first, _second], options => options with { Telemetry = options.Telemetry with { AccessLog = log } });
        try
        {
            await using (world)
            {
                using var response = await world.PostAsync(
                    "/v1/chat/completions", Chat.Body(Planted, isStreaming: true), [("traceparent", $"00-{TraceId}-{ClientSpan}-01")]);
                await response.Content.ReadAsStringAsync();
                await world.DisconnectAsync();
            }
            Assert.Contains($"\"trace\":\"{TraceId}\"", await File.ReadAllTextAsync(log), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(log);
        }
    }

    // The first answer is a fault, so that there is a second attempt.
    private Task AnswerAsync(ScriptedCall call) => AnswerAsync(call, failsAt: 1);

    private Task AnswerAsync(ScriptedCall call, int failsAt) => Interlocked.Increment(ref _calls) == failsAt
        ? call.JsonAsync("""{"error":{"message":"CUDA error"}}""", 500)
        : call.StreamAsync(
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"pomegranate\"}}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"!\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n",
            "data: [DONE]\n\n");

    private Task<ServedFile> ServeAsync(params (string Name, string Value)[] more) => ServedFile.StartAsync(
        [_first.Uri, _second.Uri],
        environment: [("OTEL_EXPORTER_OTLP_ENDPOINT", _collector.Url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_BSP_SCHEDULE_DELAY", "50"), .. more]);

    private static async Task ChatAsync(ServedFile served, string traceparent)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(Chat.Body(Planted, isStreaming: true, more: ",\"max_tokens\":7"), Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("traceparent", traceparent);
        request.Headers.TryAddWithoutValidation("tracestate", "rojo=00f067aa0ba902b7");
        using var response = await served.Client.SendAsync(request);
        Assert.Contains("[DONE]", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static void AssertAttributes(ReceivedSpan span, params (string Name, string Value)[] expected) =>
        Assert.All(expected, attribute => Assert.Equal(attribute, (attribute.Name, span.Attributes.GetValueOrDefault(attribute.Name))));

    private ReceivedSpan[] Spans() => [.. _collector.Spans];

    private ReceivedSpan Span(string name, int? kind = null) => Assert.Single(Spans(), span => span.Name == name && (kind is null || span.Kind == kind));

    [GeneratedRegex("""^(?<family>[a-z_]+)_bucket\{.*\} \d+ # \{trace_id="(?<trace>[0-9a-f]+)",span_id="(?<span>[0-9a-f]+)"\} \S+ \S+$""", RegexOptions.Multiline)]
    private static partial Regex Exemplar();
}
