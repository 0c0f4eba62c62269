using Gateway.Configuration;
using Gateway.Replicas;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

/// <summary>What YAML allows and what of it is too much.</summary>
public class YamlTreeTests
{
    [Fact]
    public void Load_OfAnchorsAndMergeKeys_WritesThemOut()
    {
        var options = Good("models:\n  - &m { name: m, engine: vllm, replicas: [http://a:1] }\n  - { <<: *m, name: n }\n");

        Assert.Equal(("n", EngineKind.Vllm, "a:1"), (options.Models[1].Name, options.Models[1].Engine, options.Models[1].Replicas[0].Id));
    }

    [Fact]
    public void Load_OfABillionLaughs_IsRefused()
    {
        var lines = Enumerable.Range(1, 12).Select(i => $"l{i}: &l{i} [{string.Join(", ", Enumerable.Repeat($"*l{i - 1}", 10))}]");

        var problems = Bad("l0: &l0 [lol]\n" + string.Join('\n', lines));

        Assert.Contains(problems, problem => problem.Contains("More than 200000 values", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[")]
    [InlineData("{a: ")]
    [InlineData("- ")]
    public void Load_OfEndlessNesting_IsRefused(string opening)
    {
        var problems = Bad("models: \n  " + string.Concat(Enumerable.Repeat(opening, 20_000)));

        Assert.Contains("Nested deeper than 32 levels.", problems[0], StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfNestingThroughAliases_IsRefused()
    {
        var deep = new string('[', 20) + new string(']', 20);

        var problems = Bad($"a: &a {deep}\nb: [[[[[[[[[[[[[[[[*a]]]]]]]]]]]]]]]]");

        Assert.Contains("Nested deeper than 32 levels.", problems[0], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("models:\n\t- name: m\n", "test.yaml:2:1 A tab stands here")]
    [InlineData("listen: http://*:1\r\nmodels:\r\n  - name: m\r\n  \treplicas: [http://a:1]\r\n", "test.yaml:4:3 A tab stands here")]
    public void Load_OfLinesIndentedWithTabs_NamesTheFirstTab(string text, string expected)
    {
        var problem = Assert.Single(Bad(text));

        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfTooLargeAFile_IsRefusedUnread()
    {
        var problems = Bad(OneModel + new string('#', ConfigurationLoader.MaxBytes));

        Assert.Equal(["test.yaml The file is larger than 4MiB."], problems);
    }
}
