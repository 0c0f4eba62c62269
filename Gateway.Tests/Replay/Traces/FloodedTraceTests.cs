using Gateway.Replay.Traces;

namespace Gateway.Tests.Replay.Traces;

public sealed class FloodedTraceTests : IDisposable
{
    private static readonly string[] Rows = ["timestamp_ms,input_tokens,output_tokens,client_id", "0,10,1,a", "1000,20,2,b", "90000,30,3,a"];

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_OfAClientThatFloods_RepeatsItsRequestsInTheOrderOfArrival()
    {
        var rows = Flooded("a", seed: 3).Read().ToList();

        Assert.Equal([1, 5, 5], rows.GroupBy(row => row.InputTokens).Select(group => group.Count()).Order());
        Assert.Equal(rows.Select(row => row.Arrival).Order(), rows.Select(row => row.Arrival));
        Assert.Equal(1, rows.Count(row => row.ClientId == "b"));
    }

    [Fact]
    public void Read_Twice_GivesTheSameAndAnotherSeedOtherTimes()
    {
        Assert.Equal(Flooded("a", seed: 3).Read(), Flooded("a", seed: 3).Read());
        Assert.NotEqual(Flooded("a", seed: 3).Read(), Flooded("a", seed: 4).Read());
    }

    [Fact]
    public void Read_OfAClientThatIsNotThere_SaysSo() =>
        Assert.Contains("no request of a client \"c\"", Assert.Throws<TraceException>(() => Flooded("c", seed: 1).Read().Count()).Message, StringComparison.Ordinal);

    private FloodedTrace Flooded(string client, int seed) => new(TraceSource.Open(_reading.Write("some.csv", Rows), new()), client, 5, seed);
}
