using System.Globalization;
using System.Text;
using Gateway.Access;
using Gateway.Api;
using Gateway.Configuration;
using Gateway.Coordination;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Queueing;
using Gateway.Replicas;
using Gateway.Routing;
using Gateway.Telemetry;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class OptionsBoundsTests
{
    private static readonly (string Path, Type Type)[] Sections =
    [
        ("listen", typeof(ListenOptions)),
        ("listen.tls", typeof(TlsOptions)),
        ("models[0]", typeof(ModelOptions)),
        ("models[0].replicas[0]", typeof(ReplicaOptions)),
        ("models[0].discovery", typeof(DiscoveryOptions)),
        ("models[0].discovery.kubernetes", typeof(KubernetesOptions)),
        ("routing", typeof(RoutingOptions)),
        ("routing.scorers[0]", typeof(ScorerOptions)),
        ("routing.shadow", typeof(ShadowOptions)),
        ("routing.prefix", typeof(PrefixOptions)),
        ("queue", typeof(QueueOptions)),
        ("queue.classes.interactive", typeof(ClassOptions)),
        ("estimation", typeof(EstimationOptions)),
        ("resilience", typeof(ResilienceOptions)),
        ("resilience.health", typeof(HealthOptions)),
        ("resilience.hedge", typeof(HedgeOptions)),
        ("resilience.heartbeat", typeof(HeartbeatOptions)),
        ("access", typeof(AccessOptions)),
        ("access.defaults", typeof(LimitOptions)),
        ("access.tenants[0]", typeof(TenantOptions)),
        ("access.tenants[0].limits", typeof(LimitOptions)),
        ("redis", typeof(RedisOptions)),
        ("telemetry", typeof(TelemetryOptions)),
    ];

    [Fact]
    public void Options_DefaultsAndBounds_AreTheDocumentedOnes()
    {
        var table = new StringBuilder();
        foreach (var (path, type) in Sections)
        {
            foreach (var setting in SettingSchema.Of(type))
            {
                table.Append(CultureInfo.InvariantCulture, $"{path}.{setting.Key} = {Written(setting, setting.Property.GetValue(Activator.CreateInstance(type)))}");
                table.Append(setting.Bounds is { } bounds
                    ? $" [{Written(setting, bounds.Least)} .. {Written(setting, bounds.Most)}]\n"
                    : "\n");
            }
        }

        Assert.Equal(Pinned, table.ToString());
    }

    public static TheoryData<string, string> Bounded()
    {
        var data = new TheoryData<string, string>();
        foreach (var (path, type) in Sections)
        {
            foreach (var setting in SettingSchema.Of(type).Where(setting => setting.Bounds is not null))
            {
                data.Add(path, setting.Key);
            }
        }

        return data;
    }

    [Theory, MemberData(nameof(Bounded))]
    public void Load_OfAValueOutsideItsBounds_IsRefusedAtItsLine(string path, string key)
    {
        var setting = SettingSchema.Of(Sections.First(section => section.Path == path).Type).First(setting => setting.Key == key);
        var bounds = setting.Bounds!;
        var below = bounds.Least == 0 ? -1 : bounds.Least / 2;

        foreach (var (value, word) in new[] { (below, "small"), ((bounds.Most * 2) + 1, "large") })
        {
            var (text, line) = TextWith(path, $"{key}: {Plain(setting, value)}");
            var problem = Assert.Single(Load(text).Problems, problem => problem.Path == $"{path}.{key}");

            Assert.Equal(line, problem.Where.Line);
            Assert.Contains(value % 1 != 0 && !setting.IsSize && setting.ValueType != typeof(double) && setting.ValueType != typeof(TimeSpan) ? "not a whole number" : $"too {word}", problem.What, StringComparison.Ordinal);
        }
    }

    [Theory, MemberData(nameof(Bounded))]
    public void Load_OfAValueOnItsBounds_IsAccepted(string path, string key)
    {
        var setting = SettingSchema.Of(Sections.First(section => section.Path == path).Type).First(setting => setting.Key == key);
        var bounds = setting.Bounds!;

        foreach (var value in new[] { bounds.Least, bounds.Most })
        {
            var (text, _) = TextWith(path, $"{key}: {Plain(setting, value)}");

            Assert.DoesNotContain(Load(text).Problems, problem => problem.What.Contains("too ", StringComparison.Ordinal) || problem.What.Contains(" is not ", StringComparison.Ordinal));
        }
    }

    /// <summary>A file with one line inside a section, and that line's number.</summary>
    private static (string Text, int Line) TextWith(string path, string line) => path switch
    {
        "models[0]" => ($"models:\n  - name: m\n    {line}\n    replicas: [http://a:1]\n", 3),
        "models[0].discovery" => ($"models:\n  - name: m\n    replicas: [http://a:1]\n    discovery:\n      {line}\n", 5),
        "models[0].replicas[0]" => ($"models:\n  - name: m\n    replicas:\n      - url: http://a:1\n        {line}\n", 5),
        "routing.scorers[0]" => ($"{OneModel}routing:\n  scorers:\n    - name: session\n      {line}\n", 7),
        "queue.classes.interactive" => ($"{OneModel}queue:\n  classes:\n    interactive:\n      {line}\n", 7),
        "access.tenants[0]" => ($"{OneModel}access:\n  tenants:\n    - name: t\n      {line}\n", 7),
        "access.tenants[0].limits" => ($"{OneModel}access:\n  tenants:\n    - name: t\n      limits:\n        {line}\n", 8),
        _ when path.Split('.') is [var outer, var inner] => ($"{OneModel}{outer}:\n  {inner}:\n    {line}\n", 6),
        _ => ($"{OneModel}{path}:\n  {line}\n", 5),
    };

    private static string Plain(Setting setting, double value) =>
        value.ToString("0.######", CultureInfo.InvariantCulture) + (setting.ValueType == typeof(TimeSpan) ? "s" : "");

    private static string Written(Setting setting, object? value) => value switch
    {
        null => "(none)",
        TimeSpan span => SettingText.WriteSeconds(span.TotalSeconds),
        double seconds when setting.ValueType == typeof(TimeSpan) => SettingText.WriteSeconds(seconds),
        "" => "(empty)",
        string text => text,
        Enum word => EnumWords.Of(word),
        bool flag => flag ? "true" : "false",
        System.Collections.IEnumerable list => $"[{string.Join(", ", list.Cast<object>())}]",
        _ when SettingSchema.IsSection(value.GetType()) => "(section)",
        _ when setting.IsSize => SettingText.WriteBytes(Convert.ToDouble(value, CultureInfo.InvariantCulture)),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture)!,
    };

    private const string Pinned = """
        listen.urls = [http://127.0.0.1:8080]
        listen.maxBodyBytes = 64MiB [1KiB .. 4GiB]
        listen.maxConnections = 20000 [1 .. 10000000]
        listen.stopDelay = 0 [0 .. 10m]
        listen.drainTimeout = 30s [0 .. 1d]
        listen.maxBufferedBytes = 2GiB [1MiB .. 1TiB]
        listen.maxHeaderBytes = 32KiB [1KiB .. 1MiB]
        listen.headersTimeout = 30s [1s .. 1h]
        listen.minUploadBytesPerSecond = 240 [0 .. 1000000000]
        listen.minDownloadBytesPerSecond = 1000 [0 .. 1000000000]
        listen.slowClientGrace = 10s [2s .. 1h]
        listen.ops = (none)
        listen.tls = (none)
        listen.corsOrigins = []
        listen.tls.certificate = (empty)
        listen.tls.key = (empty)
        listen.tls.clientCa = (none)
        models[0].name = (empty)
        models[0].aliases = []
        models[0].upstreamModel = (none)
        models[0].engine = auto
        models[0].replicas = []
        models[0].discovery = (section)
        models[0].fallbacks = []
        models[0].apiKeyEnv = (none)
        models[0].enginePriority = auto
        models[0].contextTokens = (none) [1 .. 1000000000]
        models[0].bytesPerToken = 4 [0.25 .. 64]
        models[0].replicas[0].url = (none)
        models[0].replicas[0].dns = (none)
        models[0].replicas[0].id = (empty)
        models[0].replicas[0].engine = (none)
        models[0].replicas[0].slots = (none) [1 .. 100000]
        models[0].replicas[0].kvTokens = (none) [1 .. 1000000000000]
        models[0].replicas[0].weight = 1 [0.001 .. 1000]
        models[0].replicas[0].labels = []
        models[0].discovery.interval = 5s [1s .. 1h]
        models[0].discovery.file = (none)
        models[0].discovery.kubernetes = (none)
        models[0].discovery.kubernetes.service = (none)
        models[0].discovery.kubernetes.namespace = (none)
        models[0].discovery.kubernetes.port = (none)
        models[0].discovery.kubernetes.labelSelector = (none)
        models[0].discovery.kubernetes.apiServer = (none)
        models[0].discovery.kubernetes.credentialsPath = /var/run/secrets/kubernetes.io/serviceaccount
        routing.policy = least_delay
        routing.scorers = []
        routing.prefix = (section)
        routing.shadow = (section)
        routing.sessionTtl = 10m [1s .. 7d]
        routing.toolReturnShare = 0.99 [0 .. 0.999]
        routing.favouriteWait = 30s [0 .. 10m]
        routing.slowStart = 30s [0 .. 1h]
        routing.overloadSeconds = 2s [0 .. 1h]
        routing.seed = 1 [0 .. 2147483647]
        routing.scorers[0].name = (empty)
        routing.scorers[0].weight = 1 [0 .. 1000]
        routing.shadow.policy = (none)
        routing.shadow.order = (none)
        routing.shadow.admission = (none)
        routing.prefix.enabled = true
        routing.prefix.blockBytes = 256 [16 .. 1KiB]
        routing.prefix.maxBytes = 256MiB [1MiB .. 64GiB]
        routing.prefix.ttl = 30m [1s .. 7d]
        queue.order = boost
        queue.fairness = off
        queue.fairnessQuantumTokens = 16384 [256 .. 10000000]
        queue.fairnessHeadroom = 0.5 [0 .. 0.9]
        queue.rescue = own
        queue.boostPerSecond = (none) [0.001 .. 100]
        queue.oldestFirstAfter = 20s [1ms .. 1d]
        queue.overtakingLimit = 1s [0 .. 1d]
        queue.siblingWait = 0 [0 .. 10m]
        queue.admission = past_future
        queue.windowRequests = 64 [1 .. 100000]
        queue.maxWaiting = 1000 [1 .. 1000000]
        queue.maxWaitingBytes = 256MiB [1MiB .. 64GiB]
        queue.maxWait = 30s [1ms .. 1d]
        queue.refuseLate = true
        queue.hardTtftSlo = false
        queue.classes = (section)
        queue.capacityShare = 0.97 [0.05 .. 1]
        queue.steersCapacityShare = true
        queue.reservedShare = 0.1 [0 .. 0.9]
        queue.preempt = off
        queue.preemptLimit = 0.8 [0 .. 1]
        queue.classes.interactive.ttftTarget = (none) [1ms .. 1d]
        queue.classes.interactive.interTokenTarget = (none) [1ms .. 10m]
        estimation.estimator = ensemble
        estimation.initialOutputTokens = 256 [1 .. 1000000]
        estimation.window = 512 [8 .. 100000]
        estimation.snapshotPath = off
        estimation.snapshotInterval = 5m [1s .. 1d]
        resilience.connectTimeout = 2s [10ms .. 5m]
        resilience.firstByteTimeout = 2m [10ms .. 1d]
        resilience.streamIdleTimeout = 1m [10ms .. 1d]
        resilience.totalTimeout = 1h [10ms .. 7d]
        resilience.maxRetries = 2 [0 .. 10]
        resilience.retryBudgetShare = 0.1 [0 .. 1]
        resilience.retryBudgetPerSecond = 10 [0 .. 100000]
        resilience.continueStreams = true
        resilience.continueWithin = 15s [10ms .. 10m]
        resilience.backoff = 2s [0 .. 10m]
        resilience.failuresToOpen = 5 [1 .. 10000]
        resilience.openDuration = 10s [100ms .. 1h]
        resilience.maxFrameBytes = 1MiB [1KiB .. 1GiB]
        resilience.maxBufferedBytes = 8MiB [1KiB .. 1GiB]
        resilience.hedge = (section)
        resilience.heartbeat = (section)
        resilience.health = (section)
        resilience.scrapeInterval = 1s [100ms .. 1h]
        resilience.health.interval = 2s [100ms .. 1h]
        resilience.health.timeout = 5s [10ms .. 10m]
        resilience.health.failures = 3 [1 .. 1000]
        resilience.hedge.share = 0 [0 .. 0.5]
        resilience.hedge.slowness = 4 [1 .. 100]
        resilience.hedge.leastWait = 500ms [10ms .. 1h]
        resilience.heartbeat.interval = 0 [0 .. 1h]
        resilience.heartbeat.commitAfter = 0 [0 .. 1h]
        resilience.heartbeat.form = newlines
        access.tenants = []
        access.anonymousTenant = (none)
        access.keysFile = (none)
        access.defaults = (section)
        access.cacheSalt = false
        access.secretEnv = (none)
        access.opsKeys = []
        access.opsKeyEnv = []
        access.protectMetrics = false
        access.defaults.requestsPerMinute = (none) [1 .. 1000000000]
        access.defaults.tokensPerMinute = (none) [1 .. 1000000000000]
        access.defaults.inputTokensPerMinute = (none) [1 .. 1000000000000]
        access.defaults.outputTokensPerMinute = (none) [1 .. 1000000000000]
        access.defaults.maxConcurrent = (none) [1 .. 1000000]
        access.defaults.dailyTokens = (none) [1 .. 1000000000000000]
        access.defaults.maxPriority = (none)
        access.tenants[0].name = (empty)
        access.tenants[0].weight = 1 [0.001 .. 1000]
        access.tenants[0].keys = []
        access.tenants[0].keyEnv = []
        access.tenants[0].models = []
        access.tenants[0].trusted = false
        access.tenants[0].limits = (section)
        access.tenants[0].limits.requestsPerMinute = (none) [1 .. 1000000000]
        access.tenants[0].limits.tokensPerMinute = (none) [1 .. 1000000000000]
        access.tenants[0].limits.inputTokensPerMinute = (none) [1 .. 1000000000000]
        access.tenants[0].limits.outputTokensPerMinute = (none) [1 .. 1000000000000]
        access.tenants[0].limits.maxConcurrent = (none) [1 .. 1000000]
        access.tenants[0].limits.dailyTokens = (none) [1 .. 1000000000000000]
        access.tenants[0].limits.maxPriority = (none)
        redis.servers = []
        redis.passwordEnv = (none)
        redis.tls = false
        redis.caFile = (none)
        redis.keyPrefix = gateway
        redis.secretEnv = (none)
        redis.interval = 100ms [10ms .. 1m]
        redis.lease = 3s [500ms .. 10m]
        redis.timeout = 1s [10ms .. 1m]
        redis.limitDeadline = 5ms [1ms .. 1s]
        redis.hintBlocks = 512 [0 .. 65536]
        telemetry.replicaHeader = true
        telemetry.accessLog = stdout
        telemetry.accessLogSample = 1 [0 .. 1]
        telemetry.logLevel = information
        telemetry.tenants = off
        telemetry.genAiMetrics = true

        """;
}
