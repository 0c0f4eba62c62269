using Gateway.Replicas;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public class ModelRulesTests
{
    [Theory]
    [InlineData("{ name: a, replicas: [http://e:1] }", "{ name: b, replicas: [http://e:1/] }", 1)]
    [InlineData("{ name: a, replicas: [http://e:1] }", "{ name: b, replicas: [{ url: http://e:1, slots: 4, id: other }] }", 1)]
    [InlineData("{ name: a, replicas: [{ url: http://e:1, kvTokens: 5000 }] }", "{ name: b, replicas: [{ url: http://e:1, slots: 4 }] }", 0)]
    [InlineData("{ name: a, replicas: [http://e:1] }", "{ name: b, replicas: [http://e:2] }", 0)]
    [InlineData("{ name: a, replicas: [{ url: http://e:1, id: x }, { url: http://e:1, id: y }] }", "{ name: b, replicas: [http://e:2] }", 0)]
    public void Load_OfAnEngineInTwoModels_WarnsUnlessItsRoomIsSplit(string first, string second, int warnings)
    {
        var loaded = Load($"models:\n  - {first}\n  - {second}\n");

        Assert.NotNull(loaded.Options);
        Assert.Equal(warnings, loaded.Warnings.Count);
        Assert.All(loaded.Warnings, warning => Assert.Equal((3, "models[1].replicas[0]"), (warning.Where.Line, warning.Path)));
    }

    [Theory]
    [InlineData("llamacpp", "lowerFirst", null, 1)]
    [InlineData("ollama", "higherFirst", null, 1)]
    [InlineData("vllm", "higherFirst", "lowerFirst", 0)]
    [InlineData("vllm", "lowerFirst", null, 0)]
    [InlineData("sglang", "lowerFirst", null, 0)]
    [InlineData("auto", "higherFirst", null, 0)]
    public void Load_OfAPriorityThatTheEngineHasNot_SaysSo(string engine, string priority, string? suggestion, int warnings)
    {
        var loaded = Load($"models:\n  - {{ name: a, engine: {engine}, enginePriority: {priority}, replicas: [http://e:1] }}\n");

        Assert.Equal(suggestion is null ? [] : [(2, "models[0].enginePriority", suggestion)], loaded.Problems.Select(problem => (problem.Where.Line, problem.Path, problem.Suggestion)));
        Assert.Equal(warnings, loaded.Warnings.Count);
    }

    [Fact]
    public void Load_OfAPriorityWhereAReplicaRunsAnotherEngine_BelievesIt()
    {
        var loaded = Load("models:\n  - { name: a, engine: llamacpp, enginePriority: lowerFirst, replicas: [http://e:1, { url: http://f:1, engine: vllm }] }\n");

        Assert.Empty(loaded.Problems);
        Assert.Empty(loaded.Warnings);
    }

    [Theory]
    [InlineData("", "1:1 models: no model is configured. Give at least one with a name and its replicas.")]
    [InlineData("# nothing yet", "1:1 models: no model is configured. Give at least one with a name and its replicas.")]
    [InlineData("models: []", "1:9 models: no model is configured. Give at least one with a name and its replicas.")]
    [InlineData("models: [{ name: m }]", "1:10 models[0].replicas: a model needs at least one replica, or discovery.")]
    [InlineData("models: [{ name: m, discovery: { kubernetes: {} } }]", "1:46 models[0].discovery.kubernetes: names neither a service nor a labelSelector; every endpoint of the namespace would be taken.")]
    [InlineData("models: [{ name: m, discovery: { kubernetes: { servcie: vllm, labelSelector: a=b } } }]", "1:48 models[0].discovery.kubernetes.servcie: unknown setting. Did you mean \"service\"?")]
    [InlineData("models: [{ name: m, discovery: { kubernetes: { service: v/m } } }]", "1:57 models[0].discovery.kubernetes.service: \"v/m\" is no name of a service.")]
    [InlineData("models: [{ name: m, replicas: [http://a:1, { url: http://a:1 }] }]", "1:44 models[0].replicas[1]: \"a:1\" is listed twice in this model.")]
    [InlineData("models: [{ name: m, replicas: [{ url: http://a:1, id: 'a b' }] }]", "1:55 models[0].replicas[0].id: an id has up to 128 letters, digits and any of . _ : - [ ]")]
    [InlineData("models: [{ name: m, replicas: [http://a:1] }, { name: n, aliases: [m], replicas: [http://b:1] }]", "1:68 models[1].aliases[0]: \"m\" is taken by models[0].name. Names and aliases are unique among all models.")]
    [InlineData("models: [{ name: m, fallbacks: [k], replicas: [http://a:1] }]", "1:33 models[0].fallbacks[0]: \"k\" is no model here. A fallback is the name of another model, not an alias.")]
    [InlineData("models: [{ name: m, fallbacks: [m], replicas: [http://a:1] }]", "1:33 models[0].fallbacks[0]: \"m\" falls back to this model in turn: two exhausted models would send their load round in a circle.")]
    [InlineData("models: [{ name: m, fallbacks: [n, n], replicas: [http://a:1] }, { name: n, replicas: [http://b:1] }]", "1:36 models[0].fallbacks[1]: \"n\" is listed twice.")]
    [InlineData("models: [{ name: m, replicas: [{ url: http://a:1, id: x }] }, { name: n, replicas: [{ url: http://b:1, id: x }] }]", "1:108 models[1].replicas[0].id: \"x\" is taken by models[0].replicas[0], which has another address.")]
    [InlineData("models: [{ name: m, replicas: [localhost:8000] }]", "1:32 models[0].replicas[0]: \"localhost:8000\" is not an http or https address. Write it like http://10.0.0.11:8000. Did you mean \"http://localhost:8000\"?")]
    [InlineData("models: [{ name: m, replicas: [https://a/llm/v1/chat/completions] }]", "1:32 models[0].replicas[0]: an address ends before /v1: the gateway adds the routes itself. Did you mean \"https://a/llm\"?")]
    [InlineData("models: [{ name: m, replicas: [{ dns: http://a:1/v1/chat/completions }] }]", "1:39 models[0].replicas[0].dns: an address ends before /v1: the gateway adds the routes itself. Did you mean \"http://a:1\"?")]
    [InlineData("models: [{ name: m, replicas: [http://a:1/v1?x=1] }]", "1:32 models[0].replicas[0]: an address ends with its path: no \"?\" and no \"#\".")]
    [InlineData("models: [{ name: m, contextTokens: 99999999999999999999, replicas: [http://a:1] }]", "1:36 models[0].contextTokens: 99999999999999999999 is too large. Allowed: 1 to 1000000000.")]
    [InlineData("- name: m", "1:1 a section is expected here, with keys such as listen.")]
    [InlineData("models: [", "2:1 While parsing")]
    public void Load_OfMistakenModels_SaysWhereAndWhatIsAllowed(string text, string expected)
    {
        var problem = Assert.Single(Bad(text));

        Assert.StartsWith("test.yaml:" + expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfTheSameEngineInTwoModels_SharesItsId()
    {
        var options = Good("models: [{ name: m, replicas: [http://a:1] }, { name: n, replicas: [http://a:1] }]");

        Assert.Equal("a:1", options.Models[1].Replicas[0].Id);
    }

    [Fact]
    public void Load_OfEveryModelSetting_KeepsIt()
    {
        var model = Good("""
            models:
              - name: m
                aliases: [a, b]
                upstreamModel: org/m
                engine: tensorrt_llm
                enginePriority: higherFirst
                contextTokens: 8192
                bytesPerToken: 3.5
                replicas:
                  - { dns: "http://engines:8000", id: e, slots: 8, kvTokens: 100000, weight: 0.5, labels: { zone: a } }
            """).Models[0];

        Assert.Equal(["a", "b"], model.Aliases);
        Assert.Equal(("org/m", EngineKind.TensorRtLlm, EnginePriority.HigherFirst), (model.UpstreamModel, model.Engine, model.EnginePriority));
        Assert.Equal((8_192, 3.5), (model.ContextTokens, model.BytesPerToken));
        var replica = Assert.Single(model.Replicas);
        Assert.Equal(("e", 8, 100_000L, 0.5, "a"), (replica.Id, replica.Slots, replica.KvTokens, replica.Weight, replica.Labels["zone"]));
        Assert.Equal((null, "http://engines:8000/"), (replica.Url, replica.Dns!.AbsoluteUri));
    }

    [Fact]
    public void Load_OfDiscovery_NeedsNoReplicas()
    {
        var model = Good("""
            models:
              - name: m
                discovery:
                  interval: 10s
                  file: list.yaml
                  kubernetes: { service: vllm, namespace: llm, port: http, labelSelector: "a=b", apiServer: "https://k:6443", credentialsPath: /c }
            """).Models[0];

        Assert.Empty(model.Replicas);
        Assert.Equal((TimeSpan.FromSeconds(10), "list.yaml"), (model.Discovery.Interval, model.Discovery.File));
        Assert.Equal(
            new KubernetesOptions { Service = "vllm", Namespace = "llm", Port = "http", LabelSelector = "a=b", ApiServer = new("https://k:6443"), CredentialsPath = "/c" },
            model.Discovery.Kubernetes);
    }
}
