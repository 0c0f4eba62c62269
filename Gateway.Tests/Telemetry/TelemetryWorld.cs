using System.Text;
using Gateway.Estimation;
using Gateway.Learning;
using Gateway.Queueing.Shadows;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Telemetry;

namespace Gateway.Tests.Telemetry;

/// <summary>One fleet of two replicas with everything that counts, and a page of its own.</summary>
internal sealed class TelemetryWorld : IDisposable
{
    public const string Model = "llama";

    private readonly object _scope = new();
    private readonly TelemetrySession _session;
    private readonly StateGauges _gauges;

    public TelemetryWorld()
    {
        Pool = new Pool(new ModelOptions { Name = Model, Aliases = ["small"] }, new FaultLimits(5, TimeSpan.FromSeconds(10)), Time);
        SetReplicas("a", "b");
        Fleet.SetPools([Pool]);
        _session = new TelemetrySession("1.2.3", Time, _scope, _ => null);
        Meters = new GatewayMeters(_scope);
        _gauges = new StateGauges(Fleet, () => Depths, Calibration, _scope, () => true, _ => Shadow is null ? null : new ModelSignals(null, Shadow));
        Meters.ShowRedisFailures(() => 2);
        Requests = new RequestMeters(Meters, Calibration, Fleet, () => Options);
    }

    public SetTime Time { get; } = new();

    public Fleet Fleet { get; } = new();

    public Pool Pool { get; }

    /// <summary>A second policy; null: none.</summary>
    public Shadow? Shadow { get; set; }

    public EstimateCalibration Calibration { get; } = new();

    public GatewayMeters Meters { get; }

    public RequestMeters Requests { get; }

    public TelemetryOptions Options { get; set; } = new();

    public List<QueueDepth> Depths { get; } = [new(Model, "interactive", 0), new(Model, "default", 3), new(Model, "batch", 12)];

    public PrometheusPage Page => _session.Page;

    public void SetReplicas(params string[] ids) =>
        Pool.SetReplicas([.. ids.Select(id => new ReplicaPlace(id, new Uri($"http://{id}.test:8000/"), new ReplicaOptions()))]);

    /// <summary>A streamed answer of 40 tokens, as replica "a" gave it.</summary>
    public static CompletedRequest Completed(string id = "req-1", string? model = Model, string asked = Model) => new()
    {
        Request = new InferenceRequest
        {
            Id = id,
            Route = ApiRoute.ChatCompletions,
            Model = asked,
            Body = new BodyFacts { IsStreaming = true, BodyBytes = 2_048, PromptBytes = 1_600, MaxOutputTokens = 64 },
            Priority = PriorityClass.Interactive,
            SessionKey = 0xabcdef,
            Prefix = new PrefixFingerprint([1, 0xffffffffffffffff, 0x10], 256),
        },
        Route = ApiRoute.ChatCompletions,
        RequestId = id,
        Model = model,
        ReplicaId = "a",
        Estimate = new RequestEstimate(400, 300, new OutputLengthEstimate(null, 0, 64), 1),
        Outcome = RequestOutcome.Success,
        StatusCode = 200,
        ArrivedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero),
        Duration = TimeSpan.FromSeconds(1.5),
        QueueWait = TimeSpan.FromSeconds(0.04),
        HeldFor = "room",
        PlacedBy = "prefix",
        Overhead = TimeSpan.FromMilliseconds(0.3),
        TimeToFirstToken = TimeSpan.FromSeconds(0.2),
        StreamDuration = TimeSpan.FromSeconds(1.25),
        Usage = new TokenUsage(410, 40, 256, null),
        OutputTokens = 40,
        PrefixHitTokens = 256,
        Retries = 1,
    };

    public static CompletedRequest Refused(string code, int status) => new()
    {
        Request = Completed().Request,
        Route = ApiRoute.ChatCompletions,
        RequestId = "req-2",
        Model = Model,
        Outcome = RequestOutcome.Refused,
        ErrorCode = code,
        StatusCode = status,
    };

    public async Task<string> ScrapeAsync(PrometheusFormat format = PrometheusFormat.Text)
    {
        Time.Advance(PrometheusPage.SharedFor);
        var page = await Page.CollectAsync(format, CancellationToken.None);
        Assert.NotNull(page);
        return Encoding.UTF8.GetString(page.Value.Span);
    }

    public void Dispose()
    {
        _gauges.Dispose();
        Meters.Dispose();
        _session.Dispose();
    }
}
