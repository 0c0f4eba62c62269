using System.Text;
using Gateway.Cli.Replays;
using Gateway.Replay.Reports;
using Gateway.Replay.Traces;
using Gateway.Tests.Replay.Traces;

namespace Gateway.Tests.Cli.Replays;

public sealed class MeasuredRunTests : IDisposable
{
    private const string Good = """{"input_toks":10,"output_toks":3,"queued_ts":1.5,"first_token_ts":2,"last_token_ts":4}""";

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_OfRows_CountsFromTheFirstOneQueued()
    {
        var run = MeasuredRun.Read(_reading.Write("run.jsonl", Good, Good.Replace("1.5", "1", StringComparison.Ordinal)), SloLimits.None);

        Assert.Equal((0.75, 2.75), (run.TimeToFirstToken.Mean, run.EndToEnd.Mean));
    }

    [Theory]
    [InlineData("\"queued_ts\":1.5", "\"queued_ts\":-1", "queued_ts is -1. Allowed: a number of at least 0.")]
    [InlineData("\"queued_ts\":1.5", "\"queued_ts\":3", "the times are out of order or range.")]
    [InlineData("\"input_toks\":10", "\"input_toks\":\"x\"", "input_toks is a text. Allowed: a whole number")]
    [InlineData("\"output_toks\":3,", "", "output_toks is missing.")]
    public void Read_OfAWrongRow_SaysWhereAndWhatIsAllowed(string good, string bad, string expected)
    {
        var path = _reading.Write("run.jsonl", Good, Good.Replace(good, bad, StringComparison.Ordinal));

        Assert.StartsWith("run.jsonl:2: " + expected, Assert.Throws<TraceException>(() => MeasuredRun.Read(path, SloLimits.None)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_OfACutOffGzip_SaysSo()
    {
        var path = _reading.Write("run.jsonl.gz", TraceReading.Packed(Encoding.UTF8.GetBytes(Good + "\n"))[..^4]);

        Assert.Contains("damaged or cut off", Assert.Throws<TraceException>(() => MeasuredRun.Read(path, SloLimits.None)).Message, StringComparison.Ordinal);
    }
}
