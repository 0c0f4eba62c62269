using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;

namespace Gateway.Tests.Benchmarks;

/// <summary>What does a row of each trace format cost, beside finding the lines of the normalised CSV? Rows with hashes have 16 of them.</summary>
[MemoryDiagnoser]
public class TraceReaderBenchmarks
{
    private const int Rows = 2_000;

    private readonly byte[] _plain = Text(i => $"{i * 200},{(i % 900) + 1},{i % 300},c{i % 27}", "timestamp_ms,input_tokens,output_tokens,client_id");
    private readonly byte[] _published = Text(i => $"2023-11-16 18:{i / 60 % 60:00}:{i % 60:00}.6805900,{(i % 900) + 1},{i % 300}", "TIMESTAMP,ContextTokens,GeneratedTokens");
    private readonly byte[] _hashed = Text(i => $"{{\"timestamp\":{i * 200},\"input_length\":8192,\"output_length\":{i % 300},\"hash_ids\":[{Ids(i, ",", "")}]}}");
    private readonly byte[] _logged = Text(i =>
        $"{{\"time\":\"2026-01-31T12:{i / 60 % 60:00}:{i % 60:00}.000Z\",\"outcome\":\"success\",\"model\":\"m\",\"tenant\":\"t\",\"prompt_tokens\":1024,\"output_tokens\":{i % 300},\"prefix_block_bytes\":256,\"prefix\":[{Ids(i, ",", "\"")}]}}");

    [Benchmark(Baseline = true, OperationsPerInvoke = Rows)]
    public long Lines()
    {
        var lines = new LineReader(new MemoryStream(_plain), "rows");
        var bytes = 0L;
        while (lines.Next(out var line))
        {
            bytes += line.Length;
        }
        return bytes;
    }

    [Benchmark(OperationsPerInvoke = Rows)]
    public long Csv() => Read(TraceFormat.Csv, _plain);

    [Benchmark(OperationsPerInvoke = Rows)]
    public long Azure() => Read(TraceFormat.Azure, _published);

    [Benchmark(OperationsPerInvoke = Rows)]
    public long Mooncake() => Read(TraceFormat.Mooncake, _hashed);

    [Benchmark(OperationsPerInvoke = Rows)]
    public long AccessLog() => Read(TraceFormat.AccessLog, _logged);

    private static long Read(TraceFormat format, byte[] text)
    {
        var tokens = 0L;
        foreach (var row in TraceReaders.Read(format, new LineReader(new MemoryStream(text), "rows"), new TraceSettings()))
        {
            tokens += row.InputTokens;
        }
        return tokens;
    }

    private static byte[] Text(Func<int, FormattableString> row, string? header = null) =>
        Encoding.UTF8.GetBytes(string.Concat((header is null ? [] : new[] { header }).Concat(Enumerable.Range(0, Rows).Select(i => FormattableString.Invariant(row(i)))).Select(line => line + "\n")));

    private static string Ids(int row, string between, string quote) =>
        string.Join(between, Enumerable.Range(row % 50, 16).Select(id => $"{quote}{id.ToString(quote.Length > 0 ? "x16" : "", CultureInfo.InvariantCulture)}{quote}"));
}
