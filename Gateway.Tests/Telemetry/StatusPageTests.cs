using System.Buffers;
using System.Text;
using System.Text.Json;
using Gateway.Replicas;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Telemetry;

public sealed class StatusPageTests
{
    private readonly Fleet _fleet = new();
    private readonly Pool _pool = new(new ModelOptions { Name = "llama", Aliases = ["small"] }, new FaultLimits(5, TimeSpan.FromSeconds(10)), new ManualTime());

    public StatusPageTests()
    {
        _pool.SetReplicas([new ReplicaPlace("a", new Uri("http://user:secret@a.test:8000/base?key=secret"), new ReplicaOptions { Slots = 8, Weight = 2, Labels = new Dictionary<string, string> { ["zone"] = "a" } })]);
        _fleet.SetPools([_pool]);
        var replica = _pool.Find("a")!;
        replica.OnProbed(ReplicaHealth.Up);
        replica.Observe(new EngineReport
        {
            Engine = EngineKind.Vllm,
            Version = "0.9.1",
            RunningRequests = 2,
            WaitingRequests = 1,
            KvUsage = 0.25,
            CachesPrefixes = true,
            PrefixHitTokens = 600,
            KvCapacityTokens = 4_000,
            ContextTokens = 8_192,
        });
        replica.TryReserve(new LoadProfile(500, 300, 99.5, 1), 1);
    }

    private const string ReplicaJson =
        """
        "id":"a","url":"http://a.test:8000/base","labels":{"zone":"a"},"health":"up","health_reason":null,"health_since":"2026-03-04T12:00:00Z","faults_in_a_row":0,"running_requests":1,"running_sequences":1,"reserved_tokens":600,"capacity_tokens":4000,
        "slots":8,"queued_prefill_tokens":300,"outstanding_tokens":99.5,"weight":2,"ledger_drift_tokens":-500,
        "service":{"answers":0,"first_token_seconds":0.0125,"prefill_seconds_per_token":4.425E-05,"step_base_seconds":0.008,"step_seconds_per_sequence":0.0001,"join_seconds":0.002,
        "prefill":{"predictions":0,"mean_relative_error":0,"coverage_ratio":0},"decode":{"predictions":0,"mean_relative_error":0,"coverage_ratio":0}},
        "engine":{"kind":"vllm","version":"0.9.1","running_requests":2,"waiting_requests":1,"kv_usage_ratio":0.25,"caches_prefixes":true,"prefix_hit_tokens":600,"prefix_query_tokens":null}
        """;

    [Fact]
    public void WriteStatus_ALivingGateway_ShowsEverything()
    {
        var calibration = new EstimateCalibration();
        calibration.Record("llama", 10, 20, 13);
        var facts = new StatusFacts
        {
            Version = "1.2.3",
            StartedAt = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero),
            Uptime = TimeSpan.FromSeconds(90),
            QueueDepths = [new("llama", "interactive", 0), new("llama", "batch", 4), new("elsewhere", "batch", 9)],
            Calibration = calibration,
            LastReload = new ConfigReload(ConfigReloadOutcome.Rejected, new DateTimeOffset(2026, 1, 2, 3, 5, 5, TimeSpan.Zero)) { Problems = ["gateway.yaml:4:22  queue.order: no."] },
            Settings = new SettingsInForce("gateway.yaml", "ab12", "full", "least_requests", "vtc", "none", "vtc", ["GATEWAY__LISTEN"]),
            DroppedLogLines = 0,
        };

        var json = Written(writer => StatusPage.WriteStatus(writer, _fleet, facts));

        Assert.Equal(OneLine(
            $$"""
            {"version":"1.2.3","started":"2026-01-02T03:04:05Z","uptime_seconds":90,"config_reload":{"outcome":"rejected","time":"2026-01-02T03:05:05Z","problems":["gateway.yaml:4:22  queue.order: no."]},
            "settings":{"file":"gateway.yaml","sha256":"ab12","mode":"full","policy":"least_requests","order":"vtc","admission":"none","fairness":"vtc","environment":["GATEWAY__LISTEN"]},
            "access_log_dropped_lines":0,"models":[{"model":"llama","aliases":["small"],"can_serve":true,"context_tokens":8192,
            "queue":{"interactive":0,"batch":4},
            "desired_replicas":1,"shadow":null,"goodput":{},"estimates":{"answers":1,"coverage_ratio":1,"mean_error_tokens":3,"mean_absolute_error_tokens":3},"replicas":[{{{ReplicaJson}}}]}]}
            """), json);
    }

    [Fact]
    public void WriteStatus_NothingKnownYet_SaysNull()
    {
        _pool.SetReplicas([new ReplicaPlace("b", new Uri("http://b.test/"), new ReplicaOptions())]);
        var facts = new StatusFacts { Version = "1", StartedAt = default, Uptime = default };

        using var status = JsonDocument.Parse(Written(writer => StatusPage.WriteStatus(writer, _fleet, facts)));

        var model = status.RootElement.GetProperty("models")[0];
        var replica = model.GetProperty("replicas")[0];
        Assert.Equal(JsonValueKind.Null, status.RootElement.GetProperty("config_reload").ValueKind);
        Assert.Equal(JsonValueKind.Null, model.GetProperty("estimates").ValueKind);
        Assert.Equal(JsonValueKind.Null, replica.GetProperty("capacity_tokens").ValueKind);
        Assert.Equal(JsonValueKind.Null, replica.GetProperty("engine").GetProperty("running_requests").ValueKind);
        Assert.Equal("unknown", replica.GetProperty("health").GetString());
    }

    [Fact]
    public void WriteReplicas_AFleet_ListsEachWithItsModelAndNoSecret()
    {
        var json = Written(writer => StatusPage.WriteReplicas(writer, _fleet));

        Assert.Equal(OneLine($$"""{"replicas":[{"model":"llama",{{ReplicaJson}}}]}"""), json);
        Assert.DoesNotContain("secret", json, StringComparison.Ordinal);
    }

    private static string OneLine(string text) => text.Replace("\n", "", StringComparison.Ordinal);

    private static string Written(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            write(writer);
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
