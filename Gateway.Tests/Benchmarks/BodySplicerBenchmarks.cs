using System.Text;
using System.Text.Json.Nodes;
using BenchmarkDotNet.Attributes;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost to rename the model and ask for usage, beside parsing the body, changing the tree and writing it again?</summary>
[MemoryDiagnoser]
public class BodySplicerBenchmarks
{
    private byte[] _body = [];
    private BodyFacts _facts = BodyFacts.None;

    [Params(1_024, 32_768)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        _body = ChatBodies.OfSize(Bytes);
        BodyReader.Read(_body, ApiRoute.ChatCompletions, new PrefixHasher(1), out _facts, out _);
    }

    [Benchmark(Baseline = true)]
    public byte[] RewriteTree()
    {
        var tree = JsonNode.Parse(_body)!;
        tree["model"] = "upstream";
        tree["stream_options"] = new JsonObject { ["include_usage"] = true };
        return Encoding.UTF8.GetBytes(tree.ToJsonString());
    }

    [Benchmark]
    public SplicedBody Splice() =>
        BodySplicer.Splice(_body, ApiRoute.ChatCompletions, _facts, new BodyChanges("upstream", IncludesUsage: true));
}
