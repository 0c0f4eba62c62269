using Gateway.Replay.Traces;

namespace Gateway.Tests.Replay.Traces;

public sealed class LeadInTraceTests : IDisposable
{
    private static readonly string[] Rows = ["timestamp_ms,input_tokens,output_tokens,client_id,session_id", "0,10,1,a,s", "1000,20,2,b,", "2000,30,3,a,s"];

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_PlayedTwiceBefore_RepeatsEveryRequestWithTheSamePauses()
    {
        var trace = LedIn(2);

        Assert.Equal(Enumerable.Range(0, 9).Select(second => TimeSpan.FromSeconds(second)), trace.Read().Select(row => row.Arrival));
        Assert.Equal(TimeSpan.FromSeconds(6), trace.CountsFrom);
    }

    [Fact]
    public void Read_OfConversations_BeginsEachAnewEveryTime() =>
        Assert.Equal([2, 2], LedIn(1).Read().Where(row => row.SessionId is not null).GroupBy(row => row.SessionId).Select(session => session.Count()));

    [Fact]
    public void Read_WithAFlood_RepeatsOnlyRequestsThatCount()
    {
        var trace = LedIn(1);

        var rows = new FloodedTrace(trace, "a", 5, seed: 3, trace.CountsFrom).Read().ToList();

        Assert.Equal(3, rows.Count(row => row.Arrival < trace.CountsFrom));
        Assert.Equal(1 + (2 * 5), rows.Count(row => row.Arrival >= trace.CountsFrom));
    }

    private LeadInTrace LedIn(int times) => new(TraceSource.Open(_reading.Write("some.csv", Rows), new()), times);
}
