using System.Buffers;
using Gateway.Replay.Traces;
using Gateway.Requests;
using Gateway.Telemetry;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Replay.Traces;

public sealed class JsonReaderTests : IDisposable
{
    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_Normalised_SharesAsFarAsLeadingIdsAgree()
    {
        var rows = _reading.Read(
            """{"timestamp_ms":0,"input_tokens":250,"output_tokens":5,"session_id":"a","client_id":"c","model":"m","hash_ids":[1,2,3,4],"reasoning_tokens":2}""",
            """{"timestamp_ms":10,"input_tokens":200,"output_tokens":5,"session_id":"a","hash_ids":[1,2,9,4]}""",
            """{"timestamp_ms":20,"input_tokens":256,"output_tokens":5,"hash_ids":[0,2,3,4]}""",
            """{"timestamp_ms":30,"input_tokens":7,"output_tokens":5}""");

        Assert.Equal(2, TraceReading.Shared(rows[0], rows[1]));
        Assert.Equal(0, TraceReading.Shared(rows[0], rows[2]));
        Assert.Equal([64, 64, 64, 0], rows.Select(row => row.BlockTokens));
        Assert.Equal(("a", "c", "m"), (rows[0].SessionId, rows[0].ClientId, rows[0].Model));
        Assert.Equal(TimeSpan.FromMilliseconds(30), rows[3].Arrival);
        Assert.DoesNotContain(rows[0].Blocks[3..].ToArray(), block => rows[2].Blocks.ToArray().Contains(block));
    }

    [Theory]
    [InlineData("")]
    [InlineData("prompts:")]
    public void Read_NamesWithHalfASurrogatePair_AreRefusedWithTheirLine(string prefix) => Assert.Equal(
        "trace.txt:1: a name is not valid UTF-8.",
        _reading.RefusalAs(prefix, """{"s\ud800":1,"session_id":"s","messages":[{"r\ud800ole":"user","role":"user","content":"x"}],"t\ud800ime":1}"""));

    [Fact]
    public void Read_RangesBeyondThePrompt_AreNotWrittenOut() => Assert.Equal(
        4, Assert.Single(_reading.Read("""{"session_id":"a","t_ms":0,"input_tokens":250,"output_tokens":5,"hash_ranges":[[1,3],[9,1000000],[1,1]]}""")).Blocks.Length);

    [Fact]
    public void Read_BlockSizeGiven_IsTaken()
    {
        var path = _reading.Write("some.jsonl", """{"timestamp_ms":0,"input_tokens":250,"output_tokens":5,"hash_ids":[1,2,3,4]}""");

        var row = TraceReading.All(path, new TraceSettings { BlockTokens = 128 })[0];

        Assert.Equal((128, 2), (row.BlockTokens, row.Blocks.Length));
    }

    [Fact]
    public void Read_Mooncake_HasBlocksOf512()
    {
        var rows = _reading.Read(
            """{"timestamp": 27482, "input_length": 600, "output_length": 500, "hash_ids": [0, 14]}""",
            """{"timestamp": 30535, "input_length": 472, "output_length": 26, "hash_ids": [0]}""");

        Assert.Equal([0, 3053], rows.Select(row => row.Arrival.TotalMilliseconds));
        Assert.Equal([512, 512], rows.Select(row => row.BlockTokens));
        Assert.Equal(1, TraceReading.Shared(rows[0], rows[1]));
    }

    [Theory]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7}""", ":2: output_tokens is missing")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7,"output_tokens":null}""", ":2: output_tokens is missing")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":"7","output_tokens":1}""", ":2: input_tokens is a text. Allowed: a whole number from 1")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7.5,"output_tokens":1}""", ":2: input_tokens is 7.5. Allowed")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":-7,"output_tokens":1}""", ":2: input_tokens is -7. Allowed")]
    [InlineData("""{"timestamp_ms":-10,"input_tokens":7,"output_tokens":1}""", ":2: timestamp_ms is -10. Allowed: a number of at least 0")]
    [InlineData("""{"timestamp_ms":1,"input_tokens":7,"output_tokens":1}""", ":2: the time is before that of the row above")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7,"output_tokens":1,"hash_ids":[1,1.5]}""", ":2: hash_ids[1] is 1.5. Allowed: whole numbers")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7,"output_tokens":1,"hash_ids":3}""", ":2: hash_ids is 3. Allowed: an array")]
    [InlineData("""{"timestamp_ms":10,"input_tokens":7,"output_tokens":1,"session_id":{}}""", ":2: session_id is an object. Allowed: a text")]
    [InlineData("""{"timestamp_ms":10,"input_tok""", ":2: not valid JSON at byte")]
    [InlineData("""[1]""", ":2: not a JSON object")]
    public void Read_WrongRow_SaysLineAndWhatIsAllowed(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.Refusal("""{"timestamp_ms":5,"input_tokens":7,"output_tokens":1}""", row), StringComparison.Ordinal);

    [Fact]
    public void Read_WrongRow_NeverShowsText() =>
        Assert.DoesNotContain("secret", _reading.Refusal("""{"input_length":"secret","output_length":1,"prompt":"secret"}"""), StringComparison.Ordinal);

    [Fact]
    public void Read_CustomDataset_GetsTimesFromTheArrivalProcess()
    {
        var path = _reading.Write("custom.jsonl",
            """{"prompt":"one two three four","output_tokens":12}""",
            """{"prompt":"one","prompt_len":9,"output_len":3}""");

        var rows = TraceReading.All(path, new TraceSettings { Arrivals = "uniform:rate=4" });

        Assert.Equal([0.25, 0.5], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal([4, 9], rows.Select(row => row.InputTokens));
        Assert.Equal([12, 3], rows.Select(row => row.OutputTokens));
        Assert.Equal("one two three four", rows[0].Prompt);
    }

    [Fact]
    public void Read_AiperfSession_PausesAfterTheLastAnswer()
    {
        var rows = _reading.Read(
            """{"session_id":"a","timestamp":100,"input_length":900,"output_length":5,"hash_ids":[1,2]}""",
            """{"session_id":"b","timestamp":200,"input_length":900,"output_length":5,"hash_ids":[1,3]}""",
            """{"session_id":"a","delay":1500,"input_length":1000,"output_length":5,"hash_ids":[1,2]}""");

        Assert.Equal([0, 100, 100], rows.Select(row => row.Arrival.TotalMilliseconds));
        Assert.Equal([null, null, TimeSpan.FromMilliseconds(1500)], rows.Select(row => row.Think));
        Assert.Equal(1, TraceReading.Shared(rows[0], rows[1]));
        Assert.Equal(2, TraceReading.Shared(rows[0], rows[2]));
    }

    [Fact]
    public void Read_SavedBenchResult_SortsByStart()
    {
        var rows = _reading.Read("""{"backend":"vllm","input_lens":[10,20,30],"output_lens":[1,2,3],"start_times":[5.5,5.0,7.25]}""");

        Assert.Equal([20, 10, 30], rows.Select(row => row.InputTokens));
        Assert.Equal([0, 500, 2250], rows.Select(row => row.Arrival.TotalMilliseconds));
    }

    [Theory]
    [InlineData("""{"timestamp":1,"input_length":5}""", ":2: output_length is missing. Each row needs it (any of output_length, output_tokens")]
    [InlineData("""{"input_length":5,"output_length":5}""", ":2: timestamp is missing")]
    [InlineData("""{"session_id":"a","delay":-5,"input_length":5,"output_length":5}""", ":2: delay is -5. Allowed")]
    [InlineData("""{"timestamp":1,"output_length":5}""", ":2: input_length is missing")]
    [InlineData("""{"input_lens":[1,2],"output_lens":[1,2]}""", ":2: timestamp is missing")]
    [InlineData("""{"input_lens":[1],"output_lens":[1],"start_times":[-1]}""", ":2: start_times[0] is wrong")]
    [InlineData("""{"timestamp":1,"output_length":1,"text_input":"\ud800"}""", ":2: a text is not valid UTF-8")]
    [InlineData("""{"input_lens":[1,2],"output_lens":[1],"start_times":[1,2]}""", ":2: input_lens, output_lens and start_times differ")]
    [InlineData("""{"input_lens":[1,0],"output_lens":[1,1],"start_times":[1,2]}""", ":2: input_lens[1] is wrong. Allowed: a whole number from 1")]
    public void Read_WrongBenchRow_SaysLine(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.RefusalAs("bench:", """{"session_id":"a","timestamp":0,"input_length":5,"output_length":5}""", row), StringComparison.Ordinal);

    [Fact]
    public void Read_AgentSessions_StartByTheArrivalProcessAndKeepTheirIdsApart()
    {
        var path = _reading.Write("agents.jsonl",
            """{"session_id":"a","t_ms":0,"model":"m","input_tokens":250,"output_tokens":5,"think_ms":0,"hash_ranges":[[1,4]]}""",
            """{"session_id":"a","t_ms":9000,"model":"m","input_tokens":380,"output_tokens":5,"think_ms":3000,"hash_ranges":[[1,3],[7,3]]}""",
            """{"session_id":"a","t_ms":9500,"model":"m","input_tokens":380,"output_tokens":5,"think_ms":null,"hash_ranges":[[1,6]]}""",
            """{"session_id":"b","t_ms":0,"model":"m","input_tokens":250,"output_tokens":5,"think_ms":0,"hash_ranges":[[1,4]]}""");

        var rows = TraceReading.All(path, new TraceSettings { Arrivals = "uniform:rate=0.5" });

        Assert.Equal([2, 2, 2, 4], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal([null, TimeSpan.FromSeconds(3), TimeSpan.Zero, null], rows.Select(row => row.Think));
        Assert.Equal([4, 6, 6, 4], rows.Select(row => row.Blocks.Length));
        Assert.Equal(3, TraceReading.Shared(rows[0], rows[1]));
        Assert.Equal(4, TraceReading.Shared(rows[0], rows[2]));
        Assert.Equal(0, TraceReading.Shared(rows[0], rows[3]));
    }

    [Theory]
    [InlineData("""{"session_id":"a","t_ms":4,"input_tokens":1,"output_tokens":1}""", ":2: t_ms is before that of the session's turn above")]
    [InlineData("""{"t_ms":4,"input_tokens":1,"output_tokens":1}""", ":2: session_id is missing")]
    [InlineData("""{"session_id":"a","t_ms":6,"input_tokens":1,"output_tokens":1,"think_ms":-1}""", ":2: think_ms is -1")]
    [InlineData("""{"session_id":"a","t_ms":6,"input_tokens":1,"output_tokens":1,"hash_ranges":[[1]]}""", ":2: hash_ranges is not a list of pairs")]
    [InlineData("""{"session_id":"a","t_ms":6,"input_tokens":1,"output_tokens":1,"hash_ranges":[[1,2147483647]]}""", ":2: hash_ranges is not a list of pairs")]
    [InlineData("""{"session_id":"a","t_ms":6,"input_tokens":1,"output_tokens":1,"hash_ranges":7}""", ":2: hash_ranges is not a list of pairs")]
    public void Read_WrongAgentRow_SaysLine(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.Refusal("""{"session_id":"a","t_ms":5,"input_tokens":7,"output_tokens":1}""", row), StringComparison.Ordinal);

    [Fact]
    public void Read_AccessLog_PutsRowsBackIntoTheOrderOfArrival()
    {
        var rows = _reading.Read(
            """{"time":"2026-01-31T12:00:05.250Z","id":"x","model":"m","route":"/v1/chat/completions","outcome":"success","status":200,"prompt_tokens":40,"estimated_prompt_tokens":39,"output_tokens":7,"priority":"batch","max_output_tokens":64,"session":"00000000000000aa","tenant":"t","prefix_block_bytes":64,"prefix_blocks":2,"prefix":["00000000000000ff","0000000000000100"]}""",
            """{"time":"2026-01-31T12:00:05.000Z","id":"y","model":"m","route":"/v1/chat/completions","outcome":"canceled","status":499,"estimated_prompt_tokens":30,"output_tokens":7,"estimated_output_tokens":99.6,"censored":true,"priority":"interactive"}""",
            """{"time":"2026-01-31T12:00:07.000Z","id":"z","route":"/v1/models","outcome":"success","status":200,"output_tokens":0}""",
            """{"time":"2026-01-31T12:00:08.000Z","id":"w","route":"/v1/chat/completions","outcome":"client_error","status":400,"estimated_prompt_tokens":3,"output_tokens":0}""",
            """{"time":"2026-01-31T12:00:06.000Z","id":"v","route":"/v1/chat/completions","outcome":"refused","status":429,"estimated_prompt_tokens":20,"output_tokens":0,"estimated_output_tokens":12,"priority":"default"}""");

        Assert.Equal([0, 250, 1000], rows.Select(row => row.Arrival.TotalMilliseconds));
        Assert.Equal([30, 40, 20], rows.Select(row => row.InputTokens));
        Assert.Equal([100, 7, 12], rows.Select(row => row.OutputTokens));
        Assert.Equal([PriorityClass.Interactive, PriorityClass.Batch, PriorityClass.Default], rows.Select(row => row.Priority));
        Assert.Equal(("m", "t", "00000000000000aa", 64), (rows[1].Model, rows[1].ClientId, rows[1].SessionId, rows[1].MaxOutputTokens));
        Assert.Equal([0xFFUL, 0x100UL], rows[1].Blocks.ToArray());
        Assert.Equal(16, rows[1].BlockTokens);
    }

    [Theory]
    [InlineData("/v1/responses/{id}")]
    [InlineData("/v1/messages/count_tokens")]
    [InlineData("/tokenize")]
    public void Read_AccessLogRowThatRanNoModel_IsLeftOut(string route)
    {
        var rows = _reading.Read(
            """{"time":"2026-01-31T12:00:05.000Z","route":"/v1/responses","outcome":"success","prompt_tokens":40,"output_tokens":7}""",
            $$"""{"time":"2026-01-31T12:00:06.000Z","route":"{{route}}","outcome":"success","prompt_tokens":40,"output_tokens":7}""");

        Assert.Single(rows);
    }

    [Fact]
    public void Read_AccessLogLineOfTheGateway_IsUnderstood()
    {
        using var line = new AccessLogLine();
        var written = new ArrayBufferWriter<byte>();
        line.Write(written, TelemetryWorld.Completed() with { Tenant = "00000000000000aa" }, sample: 0.5);

        var row = Assert.Single(TraceReading.All(_reading.Write("access.log", written.WrittenSpan.ToArray())));

        Assert.Equal((410, 40, 64, "llama", "00000000000000aa"), (row.InputTokens, row.OutputTokens, row.MaxOutputTokens, row.Model, row.ClientId));
        Assert.Equal((PriorityClass.Interactive, "0000000000abcdef", 64), (row.Priority, row.SessionId, row.BlockTokens));
        Assert.Equal([1, 0xffffffffffffffff, 0x10], row.Blocks.ToArray());
    }

    [Theory]
    [InlineData("""{"time":"soon","outcome":"success"}""", ":2: time is no date")]
    [InlineData("""{"outcome":"success"}""", ":2: time is missing")]
    [InlineData("""{"time":"2026-01-31T12:00:00Z"}""", ":2: outcome is missing")]
    [InlineData("""{"time":"2026-01-31T12:00:00Z","outcome":"success","prompt_tokens":-1}""", ":2: prompt_tokens is -1")]
    [InlineData("""{"time":"2026-01-31T12:00:00Z","outcome":"success","prompt_tokens":1,"priority":"high"}""", ":2: priority is unknown. Allowed: interactive, default, batch")]
    [InlineData("""{"time":"2026-01-31T12:00:00Z","outcome":"success","prompt_tokens":100,"prefix_block_bytes":64,"prefix":["zz"]}""", ":2: prefix[0] is no hash")]
    public void Read_WrongAccessLogRow_SaysLine(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.Refusal("""{"time":"2026-01-31T12:00:00Z","outcome":"success","prompt_tokens":1,"output_tokens":1}""", row), StringComparison.Ordinal);

    [Fact]
    public void Read_AccessLogBeyondItsWindow_IsRefused()
    {
        var lines = Enumerable.Range(0, 65_540).Select(i => $$"""{"time":"2026-01-31T12:00:01Z","outcome":"success","prompt_tokens":1,"output_tokens":{{i}}}""");

        var message = _reading.Refusal([.. lines, """{"time":"2026-01-31T12:00:00Z","outcome":"success","prompt_tokens":1,"output_tokens":1}"""]);

        Assert.StartsWith("trace.txt:65541: the request came before one that stands more than 65536 requests above", message, StringComparison.Ordinal);
    }
}
