using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.Estimation;
using Gateway.Forwarding;
using Gateway.Forwarding.Attempts;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does it cost to watch a stream of 64 chunks go by, beside passing its bytes on unread?</summary>
[MemoryDiagnoser]
public class AnswerStreamBenchmarks : IDisposable
{
    private readonly byte[] _buffer = new byte[16_384];
    private byte[] _stream = [];
    private GatewayCore? _core;
    private ModelPool? _model;

    /// <summary>Bytes that arrive at a time: one chunk, or all that the socket holds.</summary>
    [Params(190, 65_536)]
    public int Piece { get; set; }

    [GlobalSetup]
    public void Prepare()
    {
        (_core, _model) = BenchmarkCore.Create(1);
        const string Chunk = """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"bench","choices":[{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":null}]}""";
        _stream = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(Chunk + "\n\n", 64)) + "data: [DONE]\n\n");
    }

    [Benchmark(Baseline = true)]
    public Task<int> PassUnread() => DrainAsync(new Pieces(_stream, Piece));

    [Benchmark]
    public async Task<int> Watch()
    {
        var estimate = new RequestEstimate(200, 200, OutputLengthEstimate.Nothing, 1);
        using var reservation = _model!.Pool.Replicas[0].TryReserve(new LoadProfile(200, 200, 64, 1), 0.97)!;
        using var clock = new AttemptClock(TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), TimeSpan.FromHours(1), TimeProvider.System, CancellationToken.None);
        var answer = new Answer("bench", estimate, null, TimeProvider.System);
        var rules = new StreamRules(ApiRoute.ChatCompletions, null, StripsUsage: true, "1", 1 << 20);
        await using var watched = new AnswerStream(new Pieces(_stream, Piece), rules, answer, reservation, clock);
        return await DrainAsync(watched);
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _core?.Dispose();
        GC.SuppressFinalize(this);
    }

    private async Task<int> DrainAsync(Stream stream)
    {
        var total = 0;
        while (await stream.ReadAsync(_buffer) is var read and > 0)
        {
            total += read;
        }
        return total;
    }

    /// <summary>A stream that gives a piece at a time.</summary>
    private sealed class Pieces(byte[] bytes, int piece) : MemoryStream(bytes, writable: false)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, piece)], cancellationToken);
    }
}
