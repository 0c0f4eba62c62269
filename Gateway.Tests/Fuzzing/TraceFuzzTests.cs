using System.IO.Compression;
using System.Text;
using Gateway.Replay.Traces;
using Gateway.Replay.Traces.Readers;
using Xunit.Abstractions;

namespace Gateway.Tests.Fuzzing;

/// <summary>Whatever stands in a trace, packed or not: requests in order, or a <see cref="TraceException"/> that names the file.</summary>
public sealed class TraceFuzzTests(ITestOutputHelper output)
{
    private static readonly string[] Lines =
    [
        "timestamp_ms,input_tokens,output_tokens,client_id,hash_ids\n0,40,3,\"a\",1 2 3\n5,50,3,b,1 2 4\n",
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n2023-11-16 18:15:50.9951690,396,109\n",
        """{"timestamp_ms":0,"input_tokens":40,"output_tokens":3,"session_id":"s\u00e9","hash_ids":[1,"x",-3]}""" + "\n" + """{"timestamp_ms":1.5,"input_tokens":40,"output_tokens":3}""" + "\n",
        """{"timestamp":0,"input_length":600,"output_length":3,"hash_ids":[1,2]}""" + "\n" + """{"timestamp":9,"input_length":600,"output_length":3,"hash_ids":[1,3]}""" + "\n",
        """{"timestamp":0,"session_id":"a","text_input":"one two","output_length":3,"hash_ids":[1]}""" + "\n" + """{"session_id":"a","delay":3,"input_length":7,"output_length":3}""" + "\n",
        """{"input_lens":[3,4],"output_lens":[1,2],"start_times":[1.5,0.5]}""" + "\n",
        """{"time":"2026-01-31T12:00:05Z","outcome":"success","prompt_tokens":40,"output_tokens":7,"priority":"batch","prefix_block_bytes":64,"prefix":["00000000000000ff"]}""" + "\n"
            + """{"time":"2026-01-31T12:00:04Z","outcome":"failed","prompt_tokens":4,"estimated_output_tokens":7.5}""" + "\n",
        """{"session_id":"s","turn":0,"suffix":"hello\n","prompt_tokens":1,"output_tokens":1}""" + "\n" + """{"session_id":"s","turn":1,"prefix_of_turn":0,"prefix_chars":3,"suffix":"x","prompt_tokens":1,"output_tokens":1}""" + "\n"
            + """{"session_id":"t","messages":[{"role":"user","content":"\ud83d\ude00"},{"role":"assistant","request_input_tokens":5,"output_tokens":2}]}""" + "\n",
        """{"session_id":"a","t_ms":0,"input_tokens":250,"output_tokens":5,"think_ms":0,"hash_ranges":[[1,4]]}""" + "\n" + """{"session_id":"a","t_ms":9,"input_tokens":250,"output_tokens":5,"think_ms":7,"hash_ranges":[[1,3],[9,1]]}""" + "\n",
    ];

    private static readonly string[] Words = ["\n{", "}\n", "[1,4],", "\"session_id\":\"a\",", "\"hash_ids\":[", "\"turn\":", "1 2 3", ",,", "\"\"", "2023-11-16", "T", "Z", "ffffffffffffffff"];

    [Fact]
    public Task Read_MutatedTraces_GivesRequestsInOrderOrSaysWhere() => FuzzAsync(5_000, 31, Mutations.Of(Lines, Words));

    [Fact]
    [Trait("Category", "Long")]
    public Task Read_AMillionMutatedTraces_GivesRequestsInOrderOrSaysWhere() => FuzzAsync(Fuzzer.LongCases, 32, new Mutations([.. Lines.Select(Encoding.UTF8.GetBytes), .. Recorded()], Words));

    private async Task FuzzAsync(int cases, int seed, Mutations traces)
    {
        var (read, refused) = (0, 0);
        // An agent's row names the blocks of its prompt in a few letters, and a prompt may have a hundred million tokens.
        await new Fuzzer(output, seed) { FreeBytes = 64 << 20, BytesPerInputByte = 512 }.RunAsync(
            cases, traces.Next, (trace, chance) => Read(chance.Next(8) == 0 ? Damaged(TracePacked(trace), chance) : trace, chance), (_, result) =>
            {
                (read, refused) = result.Problem is null ? (read + 1, refused) : (read, refused + 1);
                Assert.True(result.Problem is null || result.Problem.StartsWith("mutant:", StringComparison.Ordinal), result.Problem);
            });
        output.WriteLine($"{read} read, {refused} refused");
        Assert.True(read > cases / 50 && refused > cases / 50);
    }

    private static (int Rows, string? Problem) Read(byte[] trace, Random chance)
    {
        var rows = 0;
        try
        {
            var found = FormatDetector.Detect(new LineReader(TraceFiles.Unpacked(new MemoryStream(trace)), "mutant"));
            var formats = Enum.GetValues<TraceFormat>();
            var format = chance.Next(8) > 0 && found is { } known ? known : formats[chance.Next(formats.Length)];
            var last = TimeSpan.Zero;
            using var stream = TraceFiles.Unpacked(new MemoryStream(trace));
            foreach (var row in TraceReaders.Read(format, new LineReader(stream, "mutant"), new TraceSettings()))
            {
                Assert.True(row.Arrival >= last && row.InputTokens >= 1 && row.OutputTokens >= 0);
                Assert.Equal(row.Blocks.IsEmpty, row.BlockTokens == 0);
                last = row.Arrival;
                rows++;
            }
            return (rows, null);
        }
        catch (TraceException problem)
        {
            return (rows, problem.Message);
        }
    }

    private static byte[] TracePacked(byte[] trace)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
        {
            gzip.Write(trace);
        }
        return packed.ToArray();
    }

    private static byte[] Damaged(byte[] packed, Random chance)
    {
        if (packed.Length > 2 && chance.Next(2) == 0)
        {
            packed[chance.Next(2, packed.Length)] ^= (byte)(1 << chance.Next(8));
        }
        return packed[..^(chance.Next(2) == 0 ? chance.Next(packed.Length / 2) : 0)];
    }

    // The beginnings of measured files, where they are.
    private static IEnumerable<byte[]> Recorded()
    {
        foreach (var folder in new[] { "traces", "prompts" }.Select(name => Path.Combine(TestData.Folder, name)).Where(Directory.Exists))
        {
            foreach (var path in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
            {
                using var file = TraceFiles.Open(path);
                var head = new byte[4_096];
                var length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
                if (length > 0)
                {
                    yield return head[..(head.AsSpan(0, length).LastIndexOf((byte)'\n') + 1)] is { Length: > 0 } lines ? lines : head[..length];
                }
            }
        }
    }
}
