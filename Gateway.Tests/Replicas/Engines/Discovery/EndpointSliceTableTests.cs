using System.Text.Json;
using System.Text.Json.Nodes;
using Gateway.Replicas;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Tests.Fakes;

namespace Gateway.Tests.Replicas.Engines.Discovery;

public sealed class EndpointSliceTableTests
{
    private readonly EndpointSliceTable _table = new(new ModelOptions { Name = "m", Aliases = ["short"], UpstreamModel = "org-m" }, port: null);

    [Fact]
    public void Replicas_WithoutAPortName_TakesTheFirstPort()
    {
        Set(FakeKubernetes.Slice("one", "10.0.0.1"));

        Assert.Equal(["10.0.0.1:9000"], Ids());
    }

    [Theory]
    [InlineData("m", 1)]
    [InlineData("short", 1)]
    [InlineData("org-m", 1)]
    [InlineData("other", 0)]
    public void Replicas_WithALabelForTheModel_AreThoseOfThisModel(string label, int count)
    {
        Set(Labelled(EndpointSlice.ModelLabel, label));

        Assert.Equal(count, Ids().Length);
    }

    [Theory]
    [InlineData("vllm", EngineKind.Vllm)]
    [InlineData("tensorrt_llm", EngineKind.TensorRtLlm)]
    [InlineData("llamacpp", EngineKind.LlamaCpp)]
    [InlineData("3", null)]
    [InlineData("toaster", null)]
    public void Replicas_WithALabelForTheEngine_AreOfThatKind(string label, EngineKind? expected)
    {
        Set(Labelled(EndpointSlice.EngineLabel, label));

        Assert.Equal(expected, Assert.Single(_table.Replicas()).Engine);
    }

    [Fact]
    public void Replicas_OfBothFamilies_ListEveryPodOnce()
    {
        Set(FakeKubernetes.Slice("six", "fd00::1"));
        var before = Ids();
        Set(FakeKubernetes.Slice("four", "10.0.0.1"));

        Assert.Equal(["[fd00::1]:9000"], before);
        Assert.Equal(["10.0.0.1:9000"], Ids());
    }

    [Fact]
    public void Replicas_InTwoSlicesAtOnce_AreListedOnce()
    {
        Set(FakeKubernetes.Slice("one", "10.0.0.1"));
        Set(FakeKubernetes.Slice("two", "10.0.0.1", "10.0.0.2"));

        Assert.Equal(["10.0.0.1:9000", "10.0.0.2:9000"], Ids());
    }

    [Theory]
    [InlineData("""{}""")]
    [InlineData("""[]""")]
    [InlineData("""{"metadata":{"name":"x"}}""")]
    [InlineData("""{"metadata":{"name":"x"},"addressType":"FQDN","ports":[{"port":1}],"endpoints":[{"addresses":["a.b"]}]}""")]
    [InlineData("""{"metadata":{"name":"x"},"addressType":"IPv4","ports":[{"port":null}],"endpoints":[{"addresses":["10.0.0.1"]}]}""")]
    [InlineData("""{"metadata":{"name":"x"},"addressType":"IPv4","ports":[{"port":99999}],"endpoints":[{"addresses":["10.0.0.1"]}]}""")]
    [InlineData("""{"metadata":{"name":"x","labels":7},"addressType":"IPv4","ports":[{"port":1}],"endpoints":[{"addresses":[]},{"addresses":[7]},{"addresses":["a b"]},7,null]}""")]
    public void Replicas_OfAnOddObject_AreNone(string json)
    {
        using var slice = JsonDocument.Parse(json);

        _table.Set(slice.RootElement);
        _table.Remove(slice.RootElement);

        Assert.Empty(_table.Replicas());
    }

    private static JsonObject Labelled(string label, string value)
    {
        var slice = FakeKubernetes.Slice("one", "10.0.0.1");
        slice["metadata"]!["labels"]![label] = value;
        return slice;
    }

    private void Set(JsonObject slice)
    {
        using var document = JsonDocument.Parse(slice.ToJsonString());
        _table.Set(document.RootElement);
    }

    private string[] Ids() => [.. _table.Replicas().Select(replica => replica.Id)];
}
