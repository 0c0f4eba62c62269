using Gateway.Configuration;
using Gateway.Replicas;
using static Gateway.Tests.Configuration.Loading;

namespace Gateway.Tests.Configuration;

public sealed class ReplicaListReaderTests
{
    [Theory]
    [InlineData("- http://a:1\n- { url: http://b:1, id: b, weight: 2, engine: sglang }")]
    [InlineData("replicas:\n  - http://a:1\n  - { url: http://b:1, id: b, weight: 2, engine: sglang }")]
    [InlineData("""["http://a:1", {"url": "http://b:1", "id": "b", "weight": 2, "engine": "sglang"}]""")]
    public void Parse_OfAList_ReadsItLikeReplicasOfAModel(string text)
    {
        var replicas = new ReplicaListReader().Parse(text, "list", out var problem);

        Assert.Null(problem);
        Assert.Equal(["a:1", "b"], replicas!.Select(replica => replica.Id));
        Assert.Equal((2, EngineKind.SgLang), (replicas![1].Weight, replicas[1].Engine));
    }

    [Fact]
    public void Parse_OfAnEmptyList_IsNoReplicaAndNoProblem()
    {
        Assert.Empty(new ReplicaListReader().Parse("[]", "list", out var problem)!);
        Assert.Null(problem);
    }

    [Theory]
    [InlineData("", "list:1:1 replicas: the file lists no replicas. Write them like - url: http://10.0.0.11:8000, or [] for none.")]
    [InlineData("- { url: http://a:1, wieght: 2 }", "list:1:22 replicas[0].wieght: unknown setting. Did you mean \"weight\"?")]
    [InlineData("- http://a:1\n- http://a:1", "list:2:3 replicas[1]: \"a:1\" is listed twice in this model.")]
    [InlineData("- [", "list:")]
    public void Parse_OfAFaultyList_SaysWhereAndWhatIsAllowed(string text, string expected)
    {
        var replicas = new ReplicaListReader().Parse(text, "list", out var problem);

        Assert.Null(replicas);
        Assert.StartsWith(expected, problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Load_OfAFileThatNamesAFaultyList_NamesTheListsLine()
    {
        var list = Path.GetTempFileName();
        File.WriteAllText(list, "- http://a:1\n- { slots: 0, url: http://b:1 }");

        var (options, problems) = ConfigurationFile.LoadText($"models: [{{ name: m, discovery: {{ file: {list} }} }}]", "gateway.yaml", NoEnvironment);

        File.Delete(list);
        Assert.Null(options);
        Assert.Equal($"{list}:2:12", Assert.Single(problems).Where.ToString());
    }
}
