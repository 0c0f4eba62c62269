using Gateway.Replay.Traces;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay.Traces;

/// <summary>Whatever stands in a file, the answer is requests in order or a <see cref="TraceException"/> that names the file.</summary>
public sealed class TraceMutationTests(ITestOutputHelper output) : IDisposable
{
    private const int Rounds = 250;

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Theory]
    [InlineData("csv:", "timestamp_ms,input_tokens,output_tokens,client_id,hash_ids", "0,40,3,\"a\",1 2 3", "5,50,3,b,1 2 4")]
    [InlineData("azure:", "TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9951690,396,109")]
    [InlineData("jsonl:", """{"timestamp_ms":0,"input_tokens":40,"output_tokens":3,"session_id":"s\u00e9","hash_ids":[1,"x",-3]}""", """{"timestamp_ms":1.5,"input_tokens":40,"output_tokens":3}""")]
    [InlineData("mooncake:", """{"timestamp":0,"input_length":600,"output_length":3,"hash_ids":[1,2]}""", """{"timestamp":9,"input_length":600,"output_length":3,"hash_ids":[1,3]}""")]
    [InlineData("bench:", """{"timestamp":0,"session_id":"a","text_input":"one two","output_length":3,"hash_ids":[1]}""", """{"session_id":"a","delay":3,"input_length":7,"output_length":3}""", """{"input_lens":[3,4],"output_lens":[1,2],"start_times":[1.5,0.5]}""")]
    [InlineData("accesslog:", """{"time":"2026-01-31T12:00:05Z","outcome":"success","prompt_tokens":40,"output_tokens":7,"priority":"batch","prefix_block_bytes":64,"prefix":["00000000000000ff"]}""", """{"time":"2026-01-31T12:00:04Z","outcome":"failed","prompt_tokens":4,"estimated_output_tokens":7.5}""")]
    [InlineData("prompts:", """{"session_id":"s","turn":0,"suffix":"hello\n","prompt_tokens":1,"output_tokens":1}""", """{"session_id":"s","turn":1,"prefix_of_turn":0,"prefix_chars":3,"suffix":"x","prompt_tokens":1,"output_tokens":1}""", """{"session_id":"t","messages":[{"role":"user","content":"\ud83d\ude00"},{"role":"assistant","request_input_tokens":5,"output_tokens":2}]}""")]
    [InlineData("agents:", """{"session_id":"a","t_ms":0,"input_tokens":250,"output_tokens":5,"think_ms":0,"hash_ranges":[[1,4]]}""", """{"session_id":"a","t_ms":9,"input_tokens":250,"output_tokens":5,"think_ms":7,"hash_ranges":[[1,3],[9,1]]}""")]
    public void Read_MutatedFile_GivesRequestsInOrderOrSaysWhere(string format, params string[] lines)
    {
        var seed = 20260131 + format.Length;
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var (read, refused) = (0, 0);

        for (var round = 0; round < Rounds; round++)
        {
            var path = _reading.Write("mutant", Mutated(TraceReading.Bytes(lines), chance));
            var last = TimeSpan.Zero;
            try
            {
                foreach (var row in TraceSource.Open(format + path, new()).Read())
                {
                    Assert.True(row.Arrival >= last && row.InputTokens >= 1 && row.OutputTokens >= 0);
                    Assert.Equal(row.Blocks.IsEmpty, row.BlockTokens == 0);
                    last = row.Arrival;
                }

                read++;
            }
            catch (TraceException problem)
            {
                Assert.StartsWith("mutant:", problem.Message, StringComparison.Ordinal);
                refused++;
            }
        }

        Assert.True(read > 0 && refused > 0, $"{read} read, {refused} refused");
    }

    private static byte[] Mutated(byte[] bytes, Random chance)
    {
        var mutant = bytes.ToList();
        for (var edits = chance.Next(1, 4); edits > 0; edits--)
        {
            var place = chance.Next(mutant.Count);
            switch (chance.Next(4))
            {
                case 0:
                    mutant[place] = (byte)chance.Next(256);
                    break;
                case 1:
                    mutant.RemoveAt(place);
                    break;
                case 2:
                    mutant.Insert(place, (byte)"0123456789-.,:[]{}\"\\\nue\xFF"[chance.Next(24)]);
                    break;
                default:
                    mutant.RemoveRange(place, Math.Min(mutant.Count - place - 1, chance.Next(20)));
                    break;
            }
        }

        return [.. mutant];
    }
}
