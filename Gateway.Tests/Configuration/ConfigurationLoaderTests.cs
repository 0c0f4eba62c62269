using System.Security.Cryptography;
using System.Text;
using Gateway.Configuration;
using Gateway.Queueing.Orders;
using Gateway.Routing;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class ConfigurationLoaderTests
{
    [Fact]
    public void Load_OfAFile_KeepsItsNameItsHashAndWhichVariablesChangedIt()
    {
        var source = Good(OneModel, ("GATEWAY__QUEUE__MAXWAITING", "9"), ("OTHER", "x")).Source!;

        Assert.Equal(("test.yaml", Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(OneModel)))), (source.FileName, source.Sha256));
        Assert.Equal(["GATEWAY__QUEUE__MAXWAITING"], source.EnvironmentOverrides);
    }

    [Theory]
    [InlineData("queue: { order: fcfs, boostPerSecond: 1 }", "queue.boostPerSecond: has an effect only with order: boost; the order is fcfs.")]
    [InlineData("queue: { windowRequests: 8 }", "queue.windowRequests: has an effect only with admission: window; it is past_future.")]
    [InlineData("queue: { fairnessHeadroom: 0.1 }", "queue.fairnessHeadroom: has an effect only with a fairness; there is none.")]
    [InlineData("queue: { fairnessQuantumTokens: 512 }", "queue.fairnessQuantumTokens: has an effect only with a fairness; there is none.")]
    [InlineData("queue: { preempt: before_first_byte, preemptLimit: 0.5 }", "queue.preemptLimit: has an effect only with preempt: continue; it is before_first_byte.")]
    [InlineData("queue: { preempt: continue, admission: none }", "queue.preempt: has an effect only with an admission that holds requests; it is none.")]
    [InlineData("routing: { policy: sal, favouriteWait: 1s }", "routing.favouriteWait: has an effect only with policy: least_delay; it is sal.")]
    [InlineData("routing: { scorers: [{ name: prefix }], slowStart: 1s }", "routing.slowStart: has an effect only with policy: least_delay; it is scorers.")]
    public void Load_OfASettingThatNobodyWouldLookAt_WarnsOfIt(string section, string expected)
    {
        var loaded = Load(OneModel + section + "\n");

        Assert.Empty(loaded.Problems);
        Assert.Contains(expected, Assert.Single(loaded.Warnings).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("routing: { shadow: { policy: least_delay } }", true)]
    [InlineData("routing: { policy: sal, shadow: { policy: sal, order: boost, admission: past_future } }", true)]
    [InlineData("mode: plain\nrouting: { shadow: { policy: least_requests, order: fcfs } }", true)]
    [InlineData("routing: { shadow: { policy: least_delay, order: fcfs } }", false)]
    [InlineData("mode: plain\nrouting: { shadow: { policy: least_delay } }", false)]
    [InlineData("routing: { scorers: [{ name: prefix }], shadow: { policy: least_delay } }", false)]
    [InlineData("routing: { shadow: {} }", false)]
    public void Load_OfAShadow_WarnsWhereItIsThePolicyInForce(string section, bool warns)
    {
        var warnings = Load(OneModel + section + "\n").Warnings;

        Assert.Equal(warns, warnings.Any(warning => warning.ToString().Contains("routing.shadow: is the policy that is in force (", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("queue: { order: fcfs, windowRequests: 64, fairnessHeadroom: 0.5 }")]
    [InlineData("queue: { order: vtc, fairnessHeadroom: 0.1, admission: window, windowRequests: 8 }")]
    [InlineData("queue: { boostPerSecond: 1, preempt: continue, preemptLimit: 0.5 }\nrouting: { favouriteWait: 1s }")]
    [InlineData("queue: { windowRequests: 8 }\nrouting: { policy: sal, slowStart: 1s, shadow: { policy: least_delay, admission: window } }")]
    public void Load_OfSettingsThatAreDefaultsOrLookedAt_WarnsOfNone(string sections) => Assert.Empty(Load(OneModel + sections + "\n").Warnings);

    [Fact]
    public void InForce_OfThePlainMode_IsWhatItHoldsAndOrders()
    {
        var plain = Good(OneModel + "mode: plain\n").InForce();

        Assert.Equal(Gateway.Replicas.EnginePriority.Off, Assert.Single(plain.Models).EnginePriority);
        Assert.Equal(("least_requests", "fcfs", "none"), (plain.Routing.PolicyName, plain.Queue.Order, plain.Queue.Admission));
    }

    [Fact]
    public void Load_OfEveryKindOfMistake_ListsAllInTheHouseFormat()
    {
        const string text = """
            queue:
              order: fcsf
              maxWating: 5
              maxWait: soon
              capacityShare: 1.5
              maxWaiting: 5
              maxWaiting: 6
            routing:
              policy: least_loaded
              scorers:
                - { name: outstanding_wrok, weight: -1 }
              prefix: 5
            models:
              - aliases: [a, a]
                engine: vllmm
                replicas:
                  - weight: 2
                  - { url: "ftp://x", dns: "http://y:1" }
            telemtry: {}
            """;

        var (_, problems) = Load(text);

        const string expected = """
            test.yaml:2:10  queue.order: no order is called "fcsf". Known: {orders}. Did you mean "fcfs"?
            test.yaml:3:3    queue.maxWating: unknown setting. Did you mean "maxWaiting"?
            test.yaml:4:12   queue.maxWait: "soon" is not a time span. Write it like 30s or 500ms.
            test.yaml:5:18   queue.capacityShare: 1.5 is too large. Allowed: 0.05 to 1.
            test.yaml:7:3    queue.maxWaiting: written twice; first on line 6.
            test.yaml:9:11   routing.policy: no policy is called "least_loaded". Known: {policies}. Did you mean "least_load"?
            test.yaml:11:15  routing.scorers[0].name: no scorer is called "outstanding_wrok". Known: added_delay, outstanding_work, prefix, session. Did you mean "outstanding_work"?
            test.yaml:11:41  routing.scorers[0].weight: -1 is too small. Allowed: 0 to 1000.
            test.yaml:12:11  routing.prefix: a section is expected here, with keys such as enabled.
            test.yaml:14:5   models[0].name: is required.
            test.yaml:14:18  models[0].aliases[1]: "a" is taken by models[0].aliases[0]. Names and aliases are unique among all models.
            test.yaml:15:13  models[0].engine: "vllmm" is none of: auto, vllm, sglang, llamacpp, tgi, ollama, tensorrt_llm, lmdeploy, openai. Did you mean "vllm"?
            test.yaml:17:9   models[0].replicas[0]: has neither url nor dns; one of them says where the engine is.
            test.yaml:18:9   models[0].replicas[1]: has both url and dns; one of them says where the engine is.
            test.yaml:18:16  models[0].replicas[1].url: "ftp://x" is not an http or https address. Write it like http://10.0.0.11:8000.
            test.yaml:19:1   telemtry: unknown setting. Did you mean "telemetry"?
            16 problems. The settings in force were not changed.
            """;
        var filled = expected
            .Replace(":10  queue.order", ":10   queue.order", StringComparison.Ordinal)
            .Replace("{orders}", string.Join(", ", QueueOrders.Names), StringComparison.Ordinal)
            .Replace("{policies}", string.Join(", ", RoutingPolicies.Names), StringComparison.Ordinal);
        Assert.Equal(filled, ProblemReport.Format(problems, "The settings in force were not changed."));
    }

    [Fact]
    public void Load_OfTheSmallestFile_FillsEveryDefault()
    {
        var options = Good("listen: http://127.0.0.1:9000\nmodels:\n  - name: m\n    replicas:\n      - url: http://10.0.0.11:8000\n      - url: http://[::1]:8000/engine\n");

        Assert.Equal(["http://127.0.0.1:9000"], options.Listen.Urls);
        Assert.Equal(["10.0.0.11:8000", "[::1]:8000"], options.Models[0].Replicas.Select(replica => replica.Id));
        Assert.Equal("/engine", options.Models[0].Replicas[1].Url!.AbsolutePath);
        Assert.Equal(new Gateway.Queueing.QueueOptions(), options.Queue);
    }

    [Theory]
    [InlineData("listen: http://*:1", "http://*:1")]
    [InlineData("listen: [http://localhost:1, 'http://[::1]:2']", "http://localhost:1,http://[::1]:2")]
    [InlineData("listen: { urls: http://0.0.0.0:1 }", "http://0.0.0.0:1")]
    [InlineData("listen: { maxConnections: 5 }", "http://127.0.0.1:8080")]
    public void Load_OfEveryFormOfListen_ReadsItsAddresses(string listen, string urls)
    {
        var options = Good(OneModel + listen);

        Assert.Equal(urls, string.Join(',', options.Listen.Urls));
    }

    [Theory]
    [InlineData("64MiB", 64L << 20)]
    [InlineData("1MB", 1_000_000)]
    [InlineData("4096", 4_096)]
    [InlineData("1.5 KiB", 1_536)]
    [InlineData("1GiB", 1L << 30)]
    public void Load_OfASize_ReadsItsUnit(string written, long bytes)
    {
        var options = Good($"{OneModel}listen: {{ maxBodyBytes: {written} }}\nqueue: {{ maxWaitingBytes: 2GiB }}");

        Assert.Equal(bytes, options.Listen.MaxBodyBytes);
    }

    [Theory]
    [InlineData("30s", 30_000)]
    [InlineData("500ms", 500)]
    [InlineData("2m", 120_000)]
    [InlineData("1.5h", 5_400_000)]
    [InlineData("1d", 86_400_000)]
    public void Load_OfATimeSpan_ReadsItsUnit(string written, double milliseconds)
    {
        var options = Good($"{OneModel}queue: {{ maxWait: {written} }}");

        Assert.Equal(milliseconds, options.Queue.MaxWait.TotalMilliseconds);
    }

    [Theory]
    [InlineData("model: []", "4:1 model: unknown setting. Did you mean \"models\"?")]
    [InlineData("listen: 0.0.0.0:8080", "4:9 listen: \"0.0.0.0:8080\" is no address to listen on. Write it like http://127.0.0.1:8080 or http://*:8080. Did you mean \"http://0.0.0.0:8080\"?")]
    [InlineData("listen: :8080", "4:9 listen: \":8080\" is no address to listen on. Write it like http://127.0.0.1:8080 or http://*:8080. Did you mean \"http://*:8080\"?")]
    [InlineData("listen: 8080", "4:9 listen: \"8080\" is no address to listen on. Write it like http://127.0.0.1:8080 or http://*:8080. Did you mean \"http://*:8080\"?")]
    [InlineData("mode: ful", "4:7 mode: \"ful\" is none of: full, plain. Did you mean \"full\"?")]
    [InlineData("queue: { maxWait: 30 }", "4:19 queue.maxWait: \"30\" is not a time span. Write it like 30s or 500ms.")]
    [InlineData("queue: { maxWaiting: 1.5 }", "4:22 queue.maxWaiting: \"1.5\" is not a whole number.")]
    [InlineData("queue: { capacityShare: NaN }", "4:25 queue.capacityShare: \"NaN\" is not a number.")]
    [InlineData("queue: { maxWaitingBytes: 5 apples }", "4:27 queue.maxWaitingBytes: \"5 apples\" is not a size. Write it like 64MiB or 4096.")]
    [InlineData("queue: { order: [fcfs] }", "4:17 queue.order: a single value is expected here, not a list.")]
    [InlineData("queue: [1]", "4:8 queue: a section is expected here, with keys such as order.")]
    [InlineData("routing: { shadow: { admission: past_futur } }", "4:33 routing.shadow.admission: no admission rule is called \"past_futur\". Known: past_future, window, none. Did you mean \"past_future\"?")]
    [InlineData("routing: { shadow: { polcy: random } }", "4:22 routing.shadow.polcy: unknown setting. Did you mean \"policy\"?")]
    [InlineData("routing: { scorers: { name: prefix } }", "4:21 routing.scorers: a list is expected here, each item behind a \"-\".")]
    [InlineData("telemetry: { replicaHeader: yes }", "4:29 telemetry.replicaHeader: \"yes\" is neither true nor false.")]
    [InlineData("telemetry: { accessLog: '' }", "4:25 telemetry.accessLog: must not be empty.")]
    [InlineData("telemetry: { logLevel: info }", "4:24 telemetry.logLevel: \"info\" is none of: trace, debug, information, warning, error, critical, none. Did you mean \"information\"?")]
    [InlineData("listen: https://*:443", "4:9 listen: https needs a certificate. Name its files in listen.tls, or listen on http and end TLS in front of the gateway.")]
    [InlineData("listen: [http://*:1, http://*:1/]", "4:22 listen[1]: \"http://*:1/\" is listed twice.")]
    [InlineData("listen: http://localhost:0", "4:9 listen: localhost is two addresses, which cannot share a free port. Write 127.0.0.1:0.")]
    [InlineData("listen: { urls: [http://*:1], ops: http://127.0.0.1:1 }", "4:36 listen.ops: \"http://127.0.0.1:1\" and \"http://*:1\" are the same port of the same interface. Keep one, or give it another port.")]
    [InlineData("listen: [http://127.0.0.1:1, http://localhost:1]", "4:30 listen[1]: \"http://localhost:1\" and \"http://127.0.0.1:1\" are the same port of the same interface. Keep one, or give it another port.")]
    [InlineData("listen: [http://127.0.0.1, http://0.0.0.0:80]", "4:28 listen[1]: \"http://0.0.0.0:80\" and \"http://127.0.0.1\" are the same port of the same interface. Keep one, or give it another port.")]
    [InlineData("listen: http://a:70000", "4:9 listen: \"http://a:70000\" is no address to listen on. Write it like http://127.0.0.1:8080 or http://*:8080.")]
    [InlineData("listen: http://10.0.0.300:8080", "4:9 listen: \"http://10.0.0.300:8080\" names no interface. Write its IP address, localhost, or * for every interface.")]
    [InlineData("listen: { ops: http://127.0.0.l:9090 }", "4:16 listen.ops: \"http://127.0.0.l:9090\" names no interface. Write its IP address, localhost, or * for every interface.")]
    [InlineData("listen: { urls: [] }", "4:17 listen.urls: at least one address is needed, like http://127.0.0.1:8080.")]
    [InlineData("listen: { corsOrigins: [app.example.com] }", "4:25 listen.corsOrigins[0]: \"app.example.com\" is no origin. Write * or scheme and host, like https://app.example.com.")]
    [InlineData("listen: { maxBodyBytes: 1GiB }", "4:25 listen.maxBodyBytes: the largest body (1GiB) is larger than what all waiting ones may hold (256MiB).")]
    [InlineData("resilience: { firstByteTimeout: 2h }", "4:33 resilience.firstByteTimeout: is longer than totalTimeout (1h).")]
    [InlineData("queue: { order: vtc, fairness: dlpm }", "4:32 queue.fairness: order: vtc is fair by itself. Leave fairness out, or name an order for each client's own requests. Did you mean \"order: boost\"?")]
    [InlineData("routing: { policy: round_robin, scorers: [{ name: prefix }] }", "4:20 routing.policy: the mix under scorers takes the place of round_robin. Keep one of the two.")]
    [InlineData("queue: { preempt: continue }\nresilience: { continueStreams: false }", "4:19 queue.preempt: a stream that is stopped goes on only with resilience.continueStreams: true. Did you mean \"before_first_byte\"?")]
    [InlineData("queue: { fairness: vct }", "4:20 queue.fairness: \"vct\" is none of: off, vtc, dlpm. Did you mean \"vtc\"?")]
    [InlineData("queue: { preempt: before_first }", "4:19 queue.preempt: \"before_first\" is none of: off, before_first_byte, continue. Did you mean \"before_first_byte\"?")]
    [InlineData("queue: { preemptLimit: 1.2 }", "4:24 queue.preemptLimit: 1.2 is too large. Allowed: 0 to 1.")]
    [InlineData("queue: { preemptLimit: -0.1 }", "4:24 queue.preemptLimit: -0.1 is too small. Allowed: 0 to 1.")]
    [InlineData("queue: { fairnessQuantumTokens: 0 }", "4:33 queue.fairnessQuantumTokens: 0 is too small. Allowed: 256 to 10000000.")]
    [InlineData("queue: { rescue: promote }", "4:18 queue.rescue: \"promote\" is none of: own, promotion.")]
    [InlineData("routing: { scorers: [{ name: prefix, weight: 0 }] }", "4:21 routing.scorers: no scorer has a weight above 0.")]
    [InlineData("routing: { scorers: [{ name: prefix }, { name: prefix }] }", "4:48 routing.scorers[1].name: \"prefix\" is listed twice.")]
    [InlineData("routing: { prefix: { enabled: false }, scorers: [{ name: prefix }] }", "4:58 routing.scorers[0].name: the prefix scorer needs routing.prefix.enabled: true.")]
    [InlineData("queue: { classes: { premium: { ttftTarget: 1s } } }", "4:21 queue.classes.premium: unknown setting. Known: interactive, default, batch.")]
    [InlineData("acces: {}", "4:1 acces: unknown setting. Did you mean \"access\"?")]
    [InlineData("listen: { ops: https://127.0.0.1:9090 }", "4:16 listen.ops: https needs a certificate. Name its files in listen.tls, or listen on http and end TLS in front of the gateway.")]
    [InlineData("listen: { urls: [http://*:1], ops: http://*:1 }", "4:36 listen.ops: \"http://*:1\" is listed twice.")]
    [InlineData("listen: { urls: [https://*:1], tls: { certificate: a } }", "4:37 listen.tls.key: is required.")]
    [InlineData("listen: { tls: { certificate: a, key: b } }", "4:16 listen.tls: no address begins with https, so the certificate would never be shown.")]
    [InlineData("listen: { maxBufferedBytes: 1MiB }", "4:29 listen.maxBufferedBytes: the largest body (64MiB) is larger than what all bodies may hold (1MiB).")]
    [InlineData("queue: *limits", "4:8 No finished anchor of this name stands above.")]
    [InlineData("--- {}", "4:1 A second document begins here; a configuration is one document.")]
    [InlineData("? [a]\n: b", "4:3 A key must be a single word.")]
    public void Load_OfOneMistake_SaysWhereAndWhatIsAllowed(string mistake, string expected)
    {
        var problems = Bad(OneModel + mistake);

        Assert.Equal(["test.yaml:" + expected], problems);
    }

    [Fact]
    public void Load_OfKeysWithoutValue_KeepsTheirDefaults()
    {
        var options = Good(OneModel + "queue:\nrouting:\n  policy:\n  prefix: ~\n");

        Assert.Equal(("boost", "least_delay", true), (options.Queue.Order, options.Routing.Policy, options.Routing.Prefix.Enabled));
    }

    [Fact]
    public void Load_OfThousandsOfMistakes_ListsAHundredAndCountsTheRest()
    {
        var problems = Bad(OneModel + string.Concat(Enumerable.Range(0, 5_000).Select(i => $"key{i}: 1\n")));

        Assert.Equal(101, problems.Length);
        Assert.Equal("test.yaml 4900 more are not listed.", problems[^1]);
    }
}
