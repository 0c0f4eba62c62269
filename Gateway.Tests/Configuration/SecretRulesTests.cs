using Gateway.Configuration;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

/// <summary>Keys and other secrets: named by variables, never written and never shown.</summary>
public class SecretRulesTests
{
    [Fact]
    public void Load_OfAnUnsetKeyVariable_IsRefusedAndASetOneIsNot()
    {
        const string text = "models: [{ name: m, apiKeyEnv: ENGINE_KEY, replicas: [http://a:1] }]";

        var problem = Assert.Single(Bad(text));

        Assert.Equal("test.yaml:1:32 models[0].apiKeyEnv: the environment variable that this names is not set.", problem);
        Assert.Equal("ENGINE_KEY", Good(text, ("ENGINE_KEY", "k")).Models[0].ApiKeyEnv);
    }

    [Theory]
    [InlineData("Secret1\n")]
    [InlineData(" Secret1")]
    [InlineData("Sec\0ret1")]
    public void Load_OfAKeyThatNoHeaderCanCarry_IsRefusedWithoutShowingIt(string key)
    {
        var problem = Assert.Single(Bad("models: [{ name: m, apiKeyEnv: ENGINE_KEY, replicas: [http://a:1] }]", ("ENGINE_KEY", key)));

        Assert.StartsWith("test.yaml:1:32 models[0].apiKeyEnv: the environment variable that this names begins or ends with white space", problem, StringComparison.Ordinal);
        Assert.DoesNotContain("Secret1", problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_WithACollectorWithoutAScheme_WarnsOfIt()
    {
        var loaded = Load(OneModel, ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"));

        Assert.NotNull(loaded.Options);
        Assert.Equal(SourceSpot.Of("OTEL_EXPORTER_OTLP_ENDPOINT"), Assert.Single(loaded.Warnings).Where);
        Assert.Empty(Load(OneModel, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"), ("OTEL_EXPORTER_OTLP_HEADERS", "a=b, c=d=e,")).Warnings);
        Assert.Empty(Load(OneModel, ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"), ("OTEL_SDK_DISABLED", "true")).Warnings);
    }

    [Theory]
    [InlineData("Secret1")]
    [InlineData("=Secret1")]
    [InlineData("a=Secret1,,")]
    public void Load_WithHeadersForTheCollectorThatAreNone_IsRefusedWithoutShowingThem(string headers)
    {
        var problem = Assert.Single(Bad(OneModel, ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317"), ("OTEL_EXPORTER_OTLP_HEADERS", headers)));

        Assert.Equal("OTEL_EXPORTER_OTLP_HEADERS is no list of headers. Write it like name=value,other=value.", problem);
    }

    [Fact]
    public void Load_OfAVariableThatNobodyFilledIn_WarnsOfIt()
    {
        var loaded = Load("models: [{ name: '${MODEL}', replicas: [http://a:1] }]");

        Assert.NotNull(loaded.Options);
        Assert.StartsWith("models[0].name: is taken as it stands: variables are not filled in here.", Assert.Single(loaded.Warnings).ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("apiKeyEnv: sk-Secret1", "is not the name of an environment variable")]
    [InlineData("apiKeyEnv: SkSecret1", "is not set")]
    [InlineData("apiKey: Secret1", "Did you mean \"apiKeyEnv\"?")]
    [InlineData("replicas: ['http://user:Secret1@a:1']", "apiKeyEnv")]
    [InlineData("replicas: ['user:Secret1@a:1']", "(not shown)")]
    [InlineData("engine: 'user:Secret1@a'", "(not shown)")]
    public void Load_OfAMisplacedSecret_NeverShowsIt(string line, string hint)
    {
        var problems = string.Join('\n', Bad($"models:\n  - name: m\n    {line}\n"));

        Assert.Contains(hint, problems, StringComparison.Ordinal);
        Assert.DoesNotContain("Secret1", problems, StringComparison.Ordinal);
    }
}
