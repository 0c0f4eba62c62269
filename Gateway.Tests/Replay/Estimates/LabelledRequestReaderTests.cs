using System.Buffers;
using System.Globalization;
using System.Text;
using Gateway.Replay.Estimates;
using Gateway.Replay.Traces;
using Gateway.Telemetry;
using Gateway.Tests.Replay.Traces;
using Gateway.Tests.Telemetry;

namespace Gateway.Tests.Replay.Estimates;

public sealed class LabelledRequestReaderTests : IDisposable
{
    private const string Good = """{"source":"s","prompt_id":"p","model":"m","prompt":"Say yes.","prompt_tokens":3,"output_tokens":1}""";

    private readonly TraceReading _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public void Read_APrompt_IsAChatCompletionWithItsSettings()
    {
        var row = Single("""{"source":"s","prompt_id":"p","model":"m/1","prompt":"Say \"yes\".","max_tokens":64,"temperature":0.7,"tools":[{"type":"function"}],"prompt_tokens":3,"output_tokens":5}""");

        Assert.Equal(("m/1", "s", 5, false), (row.Model, row.Source, row.OutputTokens, row.IsCensored));
        Assert.Equal((64, true, 1), (row.Request.Body.MaxOutputTokens, row.Request.Body.HasTools, row.Request.Body.Messages));
        Assert.InRange(row.Request.Body.PromptBytes, "Say \"yes\".".Length, 64);
        Assert.NotEqual(0UL, row.Request.TenantKey);
    }

    [Fact]
    public void Read_Rows_AreOneTenantPerSource()
    {
        var rows = Read(Good, Good.Replace("\"s\"", "\"t\"", StringComparison.Ordinal), Good.Replace("\"m\"", "\"n\"", StringComparison.Ordinal));

        Assert.Equal(rows[0].Request.TenantKey, rows[2].Request.TenantKey);
        Assert.NotEqual(rows[0].Request.TenantKey, rows[1].Request.TenantKey);
        Assert.Single(rows.Select(row => row.PromptKey).Distinct());
    }

    [Fact]
    public void Read_Messages_KeepsThemAsTheyAre()
    {
        var row = Single("""{"source":"s","prompt_id":"p","model":"m","messages":[{"role":"system","content":"short"},{"role":"user","content":"hi"},{"role":"assistant","content":"ho"},{"role":"user","content":"and?"}],"prompt_tokens":9,"output_tokens":5}""");

        Assert.Equal(4, row.Request.Body.Messages);
        Assert.NotEqual(0UL, row.Request.Body.SystemPromptKey);
    }

    [Fact]
    public void Read_AnAnswerAtItsLimit_IsCensored()
    {
        var rows = Read(
            """{"prompt":"x","max_tokens":5,"prompt_tokens":3,"output_tokens":5}""",
            """{"prompt":"x","max_tokens":5,"prompt_tokens":3,"output_tokens":4}""");

        Assert.Equal([true, false], rows.Select(row => row.IsCensored));
        Assert.All(rows, row => Assert.Equal(("unknown", "trace"), (row.Model, row.Source)));
    }

    [Fact]
    public void Read_Samples_AreKeptInTheirOrder()
    {
        var row = Single("""{"prompt":"x","prompt_tokens":3,"output_tokens":7,"output_tokens_samples":{"t0.0":3,"t0.5":9,"t0.7":7}}""");

        Assert.Equal((7, "3 9 7"), (row.OutputTokens, string.Join(' ', row.Samples)));
    }

    [Fact]
    public void Read_TurnsByPrefix_AreRebuilt()
    {
        var beginning = new string('a', 1_000);
        var rows = Read(
            $$"""{"session_id":"s","turn":0,"prefix_of_turn":null,"prefix_chars":0,"suffix":"{{beginning}}","prompt_tokens":3,"output_tokens":1}""",
            """{"session_id":"s","turn":1,"prefix_of_turn":0,"prefix_chars":900,"suffix":" and you","prompt_tokens":3,"output_tokens":2}""");

        Assert.Equal(92, rows[0].Request.Body.PromptBytes - rows[1].Request.Body.PromptBytes);
        Assert.Equal(rows[0].Request.Prefix.Blocks[..3], rows[1].Request.Prefix.Blocks[..3]);
        Assert.Equal(rows[0].PromptKey, rows[1].PromptKey);
    }

    [Fact]
    public void Read_AConversation_IsOneRequestPerAnswerWithoutItsLabels()
    {
        const string Session = """{"source":"air","session_id":"1","task":4,"model":"m","messages":[{"role":"system","content":"rule"},{"role":"user","content":"hi"},{"role":"assistant","content":"who?","request_input_tokens":110,"output_tokens":2},{"role":"user","content":"me"},{"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}],"request_input_tokens":118,"output_tokens":9}]}""";
        var rows = Read(Session, Session.Replace("\"1\"", "\"2\"", StringComparison.Ordinal));

        Assert.Equal([2, 9, 2, 9], rows.Select(row => row.OutputTokens));
        Assert.Equal([2, 4, 2, 4], rows.Select(row => row.Request.Body.Messages));
        Assert.All(rows, row => Assert.Equal(("air", "m"), (row.Source, row.Model)));
        Assert.Single(rows.Select(row => row.PromptKey).Distinct());
        Assert.True(rows[1].Request.Body.BodyBytes > rows[0].Request.Body.BodyBytes);
    }

    [Fact]
    public void Read_TheAccessLog_IsWhatTheGatewaySaw()
    {
        var row = Single(Line("success", """
            "prompt_bytes":512,"body_bytes":600,"max_output_tokens":100,"sequences":2,"output_tokens":60,"stream":true,"censored":false,"session":"00000000000000aa","system":"00000000000000bb","prefix_block_bytes":256,"prefix":["0000000000000001","00000000000000ff"]
            """));

        var body = row.Request.Body;
        Assert.Equal(("m", "trace", 30, false), (row.Model, row.Source, row.OutputTokens, row.IsCensored));
        Assert.Equal((512, 100, true, 0xBBUL, 2), (body.PromptBytes, body.MaxOutputTokens, body.IsStreaming, body.SystemPromptKey, body.Choices));
        Assert.Equal((0xAAUL, 0xAAUL), (row.Request.SessionKey, row.PromptKey));
        Assert.Equal([1UL, 0xFFUL], row.Request.Prefix.Blocks);
    }

    [Fact]
    public void Read_ALineThatTheGatewayWrote_IsTheRequestItWrote()
    {
        var completed = TelemetryWorld.Completed() with { Tenant = "00000000000000aa" };
        var buffer = new ArrayBufferWriter<byte>();
        using var line = new AccessLogLine();
        line.Write(buffer, completed, sample: 0.5);

        var row = Single(Encoding.UTF8.GetString(buffer.WrittenSpan));

        var (read, written) = (row.Request, completed.Request!);
        Assert.Equal((completed.Model, completed.OutputTokens, completed.IsCensored, completed.Tenant), (row.Model, row.OutputTokens, row.IsCensored, row.Source));
        Assert.Equal((written.Route, written.SessionKey, written.Prefix.BlockBytes), (read.Route, read.SessionKey, read.Prefix.BlockBytes));
        Assert.Equal(written.Prefix.Blocks, read.Prefix.Blocks);
        Assert.Equal(
            (written.Body.PromptBytes, written.Body.BodyBytes, written.Body.MaxOutputTokens, written.Body.IsStreaming),
            (read.Body.PromptBytes, read.Body.BodyBytes, read.Body.MaxOutputTokens, read.Body.IsStreaming));
    }

    [Fact]
    public void Read_TheAccessLog_LearnsOnlyFromAnswersOfOpenLength()
    {
        var rows = Read(
            Line("refused", "\"output_tokens\":0"), Line("failed", "\"output_tokens\":9"), Line("success", "\"output_tokens\":0"),
            Line("success", "\"output_tokens\":5", "/v1/embeddings"), Line("canceled", "\"output_tokens\":7"), Line("success", "\"output_tokens\":8,\"censored\":true"));

        Assert.Equal([7, 8], rows.Select(row => row.OutputTokens));
        Assert.All(rows, row => Assert.True(row.IsCensored));
    }

    [Theory]
    [InlineData("{\"prompt\":\"x\",\"prompt_tokens\":1}", ":2: output_tokens is missing")]
    [InlineData("{\"prompt_tokens\":1,\"output_tokens\":1}", ":2: prompt is missing. Each row needs it (any of prompt, messages, suffix)")]
    [InlineData("{\"prompt\":\"x\",\"output_tokens\":-1}", ":2: output_tokens is -1. Allowed: a whole number from 0")]
    [InlineData("{\"prompt\":\"x\",\"max_tokens\":\"many\",\"output_tokens\":1}", ":2: the row makes no request that the gateway would take.")]
    [InlineData("{\"prompt\":\"x\",\"output_tokens\":1,\"output_tokens_samples\":[1]}", ":2: output_tokens_samples is no object")]
    [InlineData("{\"session_id\":\"s\",\"messages\":[{\"request_input_tokens\":5}]}", ":2: output_tokens is missing")]
    [InlineData("{\"session_id\":\"s\",\"messages\":[3]}", ":2: a message is no object")]
    [InlineData("{\"session_id\":\"s\",\"messages\":3}", ":2: messages is no array")]
    [InlineData("not JSON", ":2: not valid JSON at byte")]
    [InlineData("[1]", ":2: not a JSON object")]
    public void Read_AWrongRow_SaysWhereAndWhatIsAllowed(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, Refusal(Good, row), StringComparison.Ordinal);

    [Theory]
    [InlineData("{\"outcome\":\"success\"}", ":2: route is missing")]
    [InlineData("{\"route\":\"/v1/completions\"}", ":2: outcome is missing")]
    [InlineData("{\"outcome\":\"success\",\"route\":\"/v1/completions\",\"output_tokens\":3}", ":2: model is missing")]
    [InlineData("{\"outcome\":\"success\",\"route\":\"/v1/completions\",\"model\":\"m\",\"output_tokens\":3}", ":2: id is missing")]
    [InlineData("{\"outcome\":\"success\",\"route\":\"/v1/completions\",\"model\":\"m\",\"id\":\"1\",\"output_tokens\":3,\"system\":\"xyz\"}", ":2: system is no hash")]
    [InlineData("{\"outcome\":\"success\",\"route\":\"/v1/completions\",\"model\":\"m\",\"id\":\"1\",\"output_tokens\":3,\"prefix\":[1]}", ":2: prefix is no hash")]
    public void Read_AWrongLineOfTheLog_SaysWhereAndWhatIsAllowed(string line, string expected) =>
        Assert.StartsWith("trace.txt" + expected, Refusal(Line("success", "\"output_tokens\":5"), line), StringComparison.Ordinal);

    [Fact]
    public void Read_ATruncatedGzip_SaysWhereItEnds()
    {
        var packed = TraceReading.Packed(TraceReading.Bytes([.. Enumerable.Range(0, 3_000).Select(index => Good.Replace("yes", index.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))]));
        var path = _files.Write("cut.jsonl.gz", packed[..(packed.Length / 2)]);

        var refusal = Assert.Throws<TraceException>(() => new LabelledRequestReader(TimeProvider.System).Read(path, default));

        Assert.Matches("^cut.jsonl.gz:[0-9]+: the compressed file is damaged or cut off here", refusal.Message);
    }

    [Theory]
    [InlineData("timestamp_ms,input_tokens,output_tokens", "neither prompts nor an access log")]
    [InlineData("", "the file is empty")]
    public void Read_AnotherFormat_SaysWhatIsAllowed(string line, string expected) =>
        Assert.Contains(expected, Refusal(line), StringComparison.Ordinal);

    [Fact]
    public void Read_ALogWithoutAnswers_SaysSo() =>
        Assert.Contains("no row has an answer", Refusal(Line("refused", "\"output_tokens\":0")), StringComparison.Ordinal);

    [Fact]
    public void Read_TheRealPrompts_IsEveryRequestOfThem()
    {
        if (TestData.Find("prompts/tau_airline_sessions.jsonl.gz") is not { } path)
        {
            return;
        }

        var file = new LabelledRequestReader(TimeProvider.System).Read(path, default);

        Assert.Equal((1_480, 66), (file.Rows.Count, (int)Math.Round(file.Rows.Average(row => row.OutputTokens))));
        Assert.Single(file.Rows.Select(row => row.Request.Body.SystemPromptKey).Distinct());
    }

    private static string Line(string outcome, string rest, string route = "/v1/chat/completions") =>
        $$"""{"time":"2026-01-31T12:00:00.000Z","id":"r1","model":"m","route":"{{route}}","outcome":"{{outcome}}",{{rest.Trim()}}}""";

    private LabelledRequest Single(string line) => Assert.Single(Read(line));

    private IReadOnlyList<LabelledRequest> Read(params string[] lines) => new LabelledRequestReader(TimeProvider.System).Read(_files.Write("trace.txt", lines), default).Rows;

    private string Refusal(params string[] lines)
    {
        var path = _files.Write("trace.txt", lines);
        return Assert.Throws<TraceException>(() => new LabelledRequestReader(TimeProvider.System).Read(path, default)).Message;
    }
}
