using BenchmarkDotNet.Attributes;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost to hash a prompt in chained blocks of 256 bytes, beside copying the same bytes?</summary>
[MemoryDiagnoser]
public class PrefixHasherBenchmarks
{
    private readonly PrefixHasher _hasher = new(1);
    private byte[] _prompt = [];
    private byte[] _copy = [];

    [Params(1_024, 32_768)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Prepare() => (_prompt, _copy) = (ChatBodies.OfSize(Bytes), new byte[2 * Bytes]);

    [Benchmark(Baseline = true)]
    public void Copy() => _prompt.CopyTo(_copy.AsSpan());

    [Benchmark]
    public ulong HashBlocks()
    {
        var hash = 0UL;
        for (var at = 0; at + _hasher.BlockBytes <= _prompt.Length; at += _hasher.BlockBytes)
        {
            hash = _hasher.Chain(hash, _prompt.AsSpan(at, _hasher.BlockBytes));
        }
        return hash;
    }
}
