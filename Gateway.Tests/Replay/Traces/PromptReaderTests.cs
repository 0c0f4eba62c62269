using Gateway.Replay.Traces;

namespace Gateway.Tests.Replay.Traces;

public sealed class PromptReaderTests : IDisposable
{
    private static readonly TraceSettings Settings = new() { Arrivals = "uniform:rate=1", Think = TimeSpan.FromSeconds(3) };

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_SinglePrompts_ComeByTheArrivalProcess()
    {
        var path = _reading.Write("prompts.jsonl",
            """{"id":"a","model":"m","prompt":"Say yes.","prompt_tokens":3,"output_tokens":1,"max_tokens":64}""",
            """{"id":"b","model":"m","prompt":"Say no.","prompt_tokens":4,"output_tokens":2}""");

        var rows = TraceReading.All(path, Settings);

        Assert.Equal([1, 2], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal(["Say yes.", "Say no."], rows.Select(row => row.Prompt));
        Assert.Equal([64, null], rows.Select(row => row.MaxOutputTokens));
        Assert.Equal((4, 2, "m"), (rows[1].InputTokens, rows[1].OutputTokens, rows[1].Model));
        Assert.All(rows, row => Assert.Null(row.SessionId));
    }

    [Fact]
    public void Read_TurnsByPrefix_AreRebuiltInOrder()
    {
        var path = _reading.Write("turns.jsonl",
            """{"session_id":"s","turn":0,"prefix_of_turn":null,"prefix_chars":0,"suffix":"hello world","prompt_tokens":3,"output_tokens":1}""",
            """{"session_id":"s","turn":1,"prefix_of_turn":0,"prefix_chars":5,"suffix":" you","prompt_tokens":3,"output_tokens":1}""",
            """{"session_id":"s","turn":2,"prefix_of_turn":0,"prefix_chars":11,"suffix":"!","prompt_tokens":3,"output_tokens":1}""",
            """{"session_id":"t","turn":0,"prefix_of_turn":null,"prefix_chars":0,"suffix":"next","prompt_tokens":3,"output_tokens":1}""");

        var rows = TraceReading.All(path, Settings);

        Assert.Equal(["hello world", "hello you", "hello world!", "next"], rows.Select(row => row.Prompt));
        Assert.Equal([1, 1, 1, 2], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal([null, TimeSpan.FromSeconds(3), TimeSpan.FromSeconds(3), null], rows.Select(row => row.Think));
        Assert.Equal(["s", "s", "s", "t"], rows.Select(row => row.SessionId));
    }

    [Fact]
    public void Read_Conversation_IsOneRequestPerAnswer()
    {
        var system = string.Concat(Enumerable.Repeat("rule ", 100));
        var path = _reading.Write("sessions.jsonl",
            $$"""{"session_id":"s","model":"m","messages":[{"role":"system","content":"{{system}}"},{"role":"user","content":"hi"},{"role":"assistant","content":"who?","request_input_tokens":110,"output_tokens":2},{"role":"user","content":"me"},{"role":"assistant","content":null,"tool_calls":[{"name":"f"}],"request_input_tokens":118,"output_tokens":9}]}""",
            $$"""{"session_id":"t","model":"m","messages":[{"role":"system","content":"{{system}}"},{"role":"user","content":"ho"},{"role":"assistant","content":"who?","request_input_tokens":110,"output_tokens":2}]}""");

        var rows = TraceReading.All(path, Settings);

        Assert.Equal([(110, 2), (118, 9), (110, 2)], rows.Select(row => (row.InputTokens, row.OutputTokens)));
        Assert.Equal([1, 1, 2], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal([null, TimeSpan.FromSeconds(3), null], rows.Select(row => row.Think));
        Assert.StartsWith(rows[0].Prompt!, rows[1].Prompt, StringComparison.Ordinal);
        Assert.EndsWith("user\nme\n", rows[1].Prompt, StringComparison.Ordinal);
        Assert.InRange(TraceReading.Shared(rows[0], rows[2]), 5, 6);
    }

    [Fact]
    public void Read_ScatteredTurns_StandForThemselves()
    {
        var rows = _reading.Read(
            """{"session_id":"s","turn":3,"messages":[{"role":"user","content":"x"}],"prompt_tokens":3,"output_tokens":1}""",
            """{"session_id":"s","turn":1,"messages":[{"role":"user","content":"x"}],"prompt_tokens":3,"output_tokens":1}""");

        Assert.Equal([null, "s"], rows.Select(row => row.SessionId));
        Assert.All(rows, row => Assert.Null(row.Think));
        Assert.Equal("user\nx\n", rows[0].Prompt);
    }

    [Theory]
    [InlineData("""{"prompt":"x","prompt_tokens":0,"output_tokens":1}""", ":2: prompt_tokens is 0. Allowed: a whole number from 1")]
    [InlineData("""{"prompt_tokens":1,"output_tokens":1}""", ":2: prompt is missing. Each row needs it (any of prompt, messages, suffix)")]
    [InlineData("""{"prompt":"x","prompt_tokens":1}""", ":2: output_tokens is missing")]
    [InlineData("""{"session_id":"s","turn":4,"prefix_of_turn":3,"prefix_chars":1,"suffix":"x","prompt_tokens":1,"output_tokens":1}""", ":2: prefix_of_turn is 3, which is not among")]
    [InlineData("""{"session_id":"s","turn":1,"prefix_of_turn":0,"prefix_chars":9,"suffix":"x","prompt_tokens":1,"output_tokens":1}""", ":2: prefix_chars is 9. Allowed: at most the 5 characters")]
    [InlineData("""{"session_id":"s","messages":[{"role":"assistant","request_input_tokens":5}]}""", ":2: output_tokens is missing")]
    [InlineData("""{"session_id":"s","messages":["x"]}""", ":2: a message is no object")]
    [InlineData("""{"messages":[]}""", ":2: session_id is missing")]
    public void Read_WrongRow_SaysLine(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.Refusal("""{"session_id":"s","turn":0,"suffix":"hello","prompt_tokens":1,"output_tokens":1}""", row), StringComparison.Ordinal);

    [Fact]
    public void Read_RealAgentTurns_HaveTheRecordedLengthAndPrefixes()
    {
        if (TestData.Find("prompts/agent_miniswe_turns.jsonl.gz") is not { } path)
        {
            return;
        }

        var rows = TraceReading.All(path);

        var (queried, shared) = (0L, 0L);
        foreach (var session in rows.GroupBy(row => row.SessionId))
        {
            foreach (var (earlier, later) in session.Zip(session.Skip(1)))
            {
                queried += later.Blocks.Length;
                shared += TraceReading.Shared(earlier, later);
            }
        }

        Assert.Equal(13, rows.Select(row => row.SessionId).Distinct().Count());
        Assert.InRange((double)shared / queried, 0.8, 0.99);
    }
}
