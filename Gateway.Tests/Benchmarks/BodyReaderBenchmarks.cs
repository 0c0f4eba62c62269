using System.Text.Json;
using BenchmarkDotNet.Attributes;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost to understand a chat body and hash its prompt, beside walking over its JSON tokens and doing nothing?</summary>
[MemoryDiagnoser]
public class BodyReaderBenchmarks
{
    private readonly PrefixHasher _hasher = new(1);
    private byte[] _body = [];

    [Params(1_024, 4_096, 32_768)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Prepare() => _body = ChatBodies.OfSize(Bytes);

    [Benchmark(Baseline = true)]
    public int WalkTokens()
    {
        var json = new Utf8JsonReader(_body);
        var tokens = 0;
        while (json.Read())
        {
            tokens++;
        }
        return tokens;
    }

    [Benchmark]
    public BodyFacts ReadBody()
    {
        BodyReader.Read(_body, ApiRoute.ChatCompletions, _hasher, out var facts, out _);
        return facts;
    }
}
