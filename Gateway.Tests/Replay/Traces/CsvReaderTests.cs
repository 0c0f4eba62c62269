namespace Gateway.Tests.Replay.Traces;

public sealed class CsvReaderTests : IDisposable
{
    private const string Header = "timestamp_ms,input_tokens,output_tokens,client_id,session_id,model,hash_ids";

    private readonly TraceReading _reading = new();

    public void Dispose() => _reading.Dispose();

    [Fact]
    public void Read_Normalised_TakesEveryColumn()
    {
        var rows = _reading.Read(Header, "1000,40,7,c1,s1,m1,5 6 7", "1250.5,33,0,,,,", "", "1250.5,1,1,c2,,,5 6 8");

        Assert.Equal(3, rows.Count);
        Assert.Equal([0, 250.5, 250.5], rows.Select(row => row.Arrival.TotalMilliseconds));
        Assert.Equal([40, 33, 1], rows.Select(row => row.InputTokens));
        Assert.Equal([7, 0, 1], rows.Select(row => row.OutputTokens));
        Assert.Equal(["c1", null, "c2"], rows.Select(row => row.ClientId));
        Assert.Equal("s1", rows[0].SessionId);
        Assert.Equal("m1", rows[0].Model);
        Assert.Equal(3, rows[0].Blocks.Length);
        Assert.Equal(16, rows[0].BlockTokens);
        Assert.Equal(0, rows[1].BlockTokens);
    }

    [Fact]
    public void Read_ColumnsInAnotherOrderAndQuoted_FindsThemByName()
    {
        var rows = _reading.Read("output_tokens,client_id,timestamp_ms,input_tokens\r", "3,\"a, \"\"b\"\"\",0,9\r");

        Assert.Equal((9, 3, "a, \"b\""), (rows[0].InputTokens, rows[0].OutputTokens, rows[0].ClientId));
    }

    [Fact]
    public void Read_ByteOrderMark_IsNoPartOfTheHeader()
    {
        var path = _reading.Write("bom.csv", [0xEF, 0xBB, 0xBF, .. TraceReading.Bytes("timestamp_ms,input_tokens,output_tokens", "0,1,1")]);

        Assert.Single(TraceReading.All(path));
    }

    [Theory]
    [InlineData("0,1,1,c,s,m", ":3: the row has 6 fields, the header 7")]
    [InlineData("0,-1,1,,,,", ":3: input_tokens is \"-1\". Allowed: a whole number from 1")]
    [InlineData("0,0,1,,,,", ":3: input_tokens is \"0\". Allowed: a whole number from 1")]
    [InlineData("0,x,1,,,,", ":3: input_tokens is \"x\"")]
    [InlineData("0,1,-1,,,,", ":3: output_tokens is \"-1\". Allowed: a whole number from 0")]
    [InlineData("0,1,1.5,,,,", ":3: output_tokens is \"1.5\"")]
    [InlineData("0,1,,,,,", ":3: output_tokens is empty")]
    [InlineData("-1,1,1,,,,", ":3: timestamp_ms is \"-1\". Allowed: a number of at least 0")]
    [InlineData("NaN,1,1,,,,", ":3: timestamp_ms is \"NaN\"")]
    [InlineData("1e300,1,1,,,,", ":3: the time is out of range")]
    [InlineData("0,99999999999,1,,,,", ":3: input_tokens is \"99999999999\"")]
    [InlineData("0,1,1,,,,3 x", ":3: hash_ids is \"3 x\"")]
    public void Read_WrongRow_SaysLineAndWhatIsAllowed(string row, string expected)
    {
        var message = _reading.Refusal(Header, "0,1,1,,,,", row);

        Assert.StartsWith("trace.txt" + expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_TimesThatFall_SaysLine() =>
        Assert.StartsWith("trace.txt:4: the time is before", _reading.Refusal(Header, "5,1,1,,,,", "7,1,1,,,,", "6,1,1,,,,"), StringComparison.Ordinal);

    [Fact]
    public void Read_MissingColumn_NamesIt() =>
        Assert.StartsWith("trace.txt:1: the column output_tokens is missing. Needed: timestamp_ms, input_tokens, output_tokens", _reading.Refusal("timestamp_ms,input_tokens", "0,1"), StringComparison.Ordinal);

    [Fact]
    public void Read_HeaderAlone_HasNoRequests() =>
        Assert.StartsWith("trace.txt:1: the file has no requests", _reading.Refusal(Header), StringComparison.Ordinal);

    [Fact]
    public void Read_Azure_TakesWallClockTimes()
    {
        var rows = _reading.Read("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46.6805900,374,44", "2023-11-16 18:15:50.9951690,396,109");
        var later = _reading.Read("TIMESTAMP,ContextTokens,GeneratedTokens", "2024-05-10 00:00:00.009930+00:00,2162,5");

        Assert.Equal([TimeSpan.Zero, TimeSpan.FromTicks(43_145_790)], rows.Select(row => row.Arrival));
        Assert.Equal((396, 109), (rows[1].InputTokens, rows[1].OutputTokens));
        Assert.Equal(2162, later[0].InputTokens);
    }

    [Theory]
    [InlineData("yesterday,1,1", ":3: TIMESTAMP is \"yesterday\"")]
    [InlineData("2023-11-16 18:15:45,1,1", ":3: the time is before")]
    [InlineData("2023-11-16 18:15:47,0,1", ":3: ContextTokens is \"0\"")]
    public void Read_WrongAzureRow_SaysLine(string row, string expected) =>
        Assert.StartsWith("trace.txt" + expected, _reading.Refusal("TIMESTAMP,ContextTokens,GeneratedTokens", "2023-11-16 18:15:46,1,1", row), StringComparison.Ordinal);
}
