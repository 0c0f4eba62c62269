using Gateway.Replay.Traces;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay.Traces;

public sealed class TraceSourceTests(ITestOutputHelper output) : IDisposable
{
    private static readonly string[] Rows = ["timestamp_ms,input_tokens,output_tokens", "0,10,1", "1000,20,2", "3000,30,3"];

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Name_OfAFile_HoldsNoFolder()
    {
        var path = _reading.Write("some.csv", Rows);

        Assert.Equal("some.csv", TraceSource.Open(path, new()).Name);
        Assert.Equal("some.csv", TraceSource.Open("csv:" + path, new()).Name);
        Assert.Equal("w1:rate=3", TraceSource.Open("w1:rate=3", new()).Name);
    }

    [Fact]
    public void Read_SeveralPromptFiles_MixesThemBySeed()
    {
        var spec = $"{_reading.Write("a.jsonl", Prompts(10, 20))}+{_reading.Write("b.jsonl", Prompts(30, 40))}";

        var one = TraceReading.All(spec, new() { Seed = 1 });

        Assert.Equal(Enumerable.Range(10, 20).Concat(Enumerable.Range(30, 40)), one.Select(row => row.OutputTokens).Order());
        Assert.All(one, row => Assert.Equal(row.OutputTokens < 30 ? "a.jsonl" : "b.jsonl", row.ClientId));
        Assert.Equal(one.OrderBy(row => row.Arrival), one);
        Assert.Equal(one, TraceReading.All(spec, new() { Seed = 1 }));
        Assert.NotEqual(one.Select(row => row.OutputTokens), TraceReading.All(spec, new() { Seed = 2 }).Select(row => row.OutputTokens));
        Assert.Equal(5, TraceReading.All(spec, new() { Limit = 5 }).Count);
    }

    private static string[] Prompts(int first, int count) =>
        [.. Enumerable.Range(first, count).Select(i => FormattableString.Invariant($$"""{"prompt": "say {{i}}", "prompt_tokens": 2, "output_tokens": {{i}}}"""))];

    [Fact]
    public void Read_Twice_GivesTheSame()
    {
        var trace = TraceSource.Open(_reading.Write("some.csv", Rows), new());

        Assert.Equal(trace.Read().ToList(), trace.Read().ToList());
    }

    [Fact]
    public void Read_GzipUnderAnyName_IsUnpacked()
    {
        var path = _reading.Write("packed.csv", TraceReading.Packed(TraceReading.Bytes(Rows)));

        Assert.Equal([10, 20, 30], TraceReading.All(path).Select(row => row.InputTokens));
    }

    [Fact]
    public void Read_SeveralGzipsInOneFile_AreReadToTheEnd()
    {
        var path = _reading.Write("joined.csv.gz", [.. TraceReading.Packed(TraceReading.Bytes(Rows)), .. TraceReading.Packed(TraceReading.Bytes("4000,40,4"))]);

        Assert.Equal([10, 20, 30, 40], TraceReading.All(path).Select(row => row.InputTokens));
    }

    [Fact]
    public void Read_TruncatedGzip_IsRefusedWhereverItIsCut()
    {
        var lines = Rows.Concat(Enumerable.Range(4, 300).Select(i => FormattableString.Invariant($"{i * 1000},{i * 7919 % 1000 + 1},{i}"))).ToArray();
        var whole = TraceReading.Packed(TraceReading.Bytes(lines));

        for (var length = 3; length < whole.Length; length++)
        {
            var path = _reading.Write("cut.csv.gz", whole[..length]);
            var problem = Record.Exception(() => TraceReading.All(path));
            Assert.True(problem is TraceException, $"cut to {length} of {whole.Length} bytes: {problem}");
            Assert.StartsWith("cut.csv.gz:", problem.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_RateFactor_DividesArrivalsOnly()
    {
        var path = _reading.Write("some.csv", Rows);

        var rows = TraceReading.All(path, new TraceSettings { RateFactor = 2 });
        var turns = TraceReading.All("sessions:turns=2,think=4s,requests=10", new TraceSettings { RateFactor = 2 });

        Assert.Equal([0, 0.5, 1.5], rows.Select(row => row.Arrival.TotalSeconds));
        Assert.Equal(TimeSpan.FromSeconds(4), turns[1].Think);
    }

    [Fact]
    public void Read_Limit_StopsBeforeLaterRowsAreLookedAt()
    {
        var path = _reading.Write("some.csv", [.. Rows, "broken"]);

        Assert.Equal([10, 20], TraceReading.All(path, new TraceSettings { Limit = 2 }).Select(row => row.InputTokens));
    }

    [Fact]
    public void Read_WithRowsLeftOut_CountsTimesFromTheFirstThatIsRead()
    {
        var rows = TraceReading.All(_reading.Write("some.csv", Rows), new TraceSettings { Skip = 1, Limit = 5, RateFactor = 2 });

        Assert.Equal([(20, 0.0), (30, 1.0)], rows.Select(row => (row.InputTokens, row.Arrival.TotalSeconds)));
    }

    [Fact]
    public void Read_WithEveryRowLeftOut_SaysHowManyThereAre()
    {
        var path = _reading.Write("some.csv", Rows);

        var problem = Assert.Throws<TraceException>(() => TraceReading.All(path, new TraceSettings { Skip = 3 }));

        Assert.Equal("some.csv: 3 requests are to be left out, and there are no more than 3.", problem.Message);
    }

    [Fact]
    public void Read_CompressedAccessLog_IsUnpacked()
    {
        var path = _reading.Write("access.log.gz", TraceReading.Packed(TraceReading.Bytes("""{"time":"2026-01-31T12:00:05Z","outcome":"success","prompt_tokens":40,"output_tokens":7}""")));

        Assert.Equal((40, 7), TraceReading.All(path).Select(row => (row.InputTokens, row.OutputTokens)).Single());
    }

    [Fact]
    public void Open_NothingOfThatName_ListsGeneratorsAndFormats()
    {
        var message = Assert.Throws<TraceException>(() => TraceSource.Open("w7x:rate=1", new())).Message;

        Assert.Contains("w7x:rate=1: neither a file nor a generator. Generators: poisson, gamma,", message, StringComparison.Ordinal);
        Assert.Contains("accesslog", message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_FileThatIsNotThere_SaysSo() =>
        Assert.Equal("nowhere.csv: cannot be read (no such file).", Assert.Throws<TraceException>(() => TraceSource.Open("csv:nowhere.csv", new())).Message);

    [Theory]
    [InlineData("")]
    [InlineData("\n\n  \n")]
    public void Open_EmptyFile_SaysSo(string text)
    {
        var path = _reading.Write("empty.csv", System.Text.Encoding.UTF8.GetBytes(text));

        Assert.Contains("the file is empty", Assert.Throws<TraceException>(() => TraceSource.Open(path, new())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a,b,c")]
    [InlineData("{\"a\":1}")]
    [InlineData("[1,2]")]
    public void Open_UnknownFormat_ListsThem(string line) =>
        Assert.StartsWith("trace.txt:1: no known format. Allowed:", _reading.Refusal(line), StringComparison.Ordinal);

    [Fact]
    public void Read_UnderAWrongFormat_SaysWhatIsMissing()
    {
        Assert.StartsWith("trace.txt:1: the column TIMESTAMP is missing", _reading.RefusalAs("azure:", Rows), StringComparison.Ordinal);
        Assert.StartsWith("trace.txt:1: not valid JSON", _reading.RefusalAs("mooncake:", Rows), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0)]
    [InlineData(-1.0)]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Open_ImpossibleRateFactor_IsRefused(double factor) =>
        Assert.Throws<TraceException>(() => TraceSource.Open("w1", new TraceSettings { RateFactor = factor }));

    [Theory]
    [InlineData("burst:rate=1", "burst: no such arrival process. Known: poisson, gamma, uniform.")]
    [InlineData("poisson:rat=1", "poisson: no parameter rat. Parameters: rate, cv.")]
    public void Open_WrongArrivalProcess_ListsThem(string arrivals, string expected) =>
        Assert.Equal(expected, Assert.Throws<TraceException>(() => TraceSource.Open("w1", new TraceSettings { Arrivals = arrivals })).Message);

    [Theory]
    [InlineData("traces/azure2023_conv.csv.gz", 11_619, 0)]
    [InlineData("traces/mooncake_conversation.jsonl.gz", 7_218, 512)]
    [InlineData("traces/arena_27clients.csv.gz", 900, 0)]
    [InlineData("traces/servegen_mlarge_clients.csv.gz", 21_609, 0)]
    [InlineData("traces/claude_code_sessions.jsonl.gz", 25_653, 64)]
    [InlineData("traces/claude_code_overlay.jsonl.gz", 6_000, 512)]
    [InlineData("traces/agent_miniswe.jsonl.gz", 292, 64)]
    [InlineData("prompts/agent_miniswe_turns.jsonl.gz", 292, 16)]
    [InlineData("prompts/tau_airline_sessions.jsonl.gz", 1_480, 16)]
    [InlineData("prompts/alpaca_vicuna7b_4samples.jsonl.gz", 11_952, null)]
    [InlineData("prompts/alpaca_davinci003.jsonl.gz", 4_774, null)]
    [InlineData("prompts/alpaca_eval.jsonl.gz", 11_343, null)]
    [InlineData("prompts/flask.jsonl.gz", 6_162, null)]
    [InlineData("prompts/zeroeval_gsm.jsonl.gz", 4_000, null)]
    [InlineData("prompts/zeroeval_crux.jsonl.gz", 2_365, null)]
    [InlineData("prompts/gpteacher_codegen.jsonl.gz", 2_747, null)]
    [InlineData("prompts/gpteacher_roleplay.jsonl.gz", 1_155, null)]
    [InlineData("prompts/mtbench101_dialogues.jsonl.gz", 2_519, null)]
    [InlineData("engine-runs/RTX4090_requests.jsonl", 300, 0)]
    public void Read_RealFile_GivesEveryRowInOrder(string name, int rows, int? blockTokens)
    {
        if (TestData.Find(name) is not { } path)
        {
            output.WriteLine($"skipped: no {name}");
            return;
        }

        var (count, last) = (0, TimeSpan.Zero);
        foreach (var row in TraceSource.Open(path, new()).Read())
        {
            Assert.True(row.Arrival >= last);
            Assert.True(blockTokens is null || row.BlockTokens == blockTokens, $"row {count}: {row.BlockTokens}");
            Assert.True(row.Blocks.Length <= (row.InputTokens / Math.Max(1, row.BlockTokens)) + 1);
            (count, last) = (count + 1, row.Arrival);
        }

        Assert.Equal(rows, count);
    }
}
