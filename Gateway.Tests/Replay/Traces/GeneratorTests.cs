using Gateway.Replay.Traces;
using Gateway.Requests;

namespace Gateway.Tests.Replay.Traces;

public sealed class GeneratorTests
{
    [Theory]
    [InlineData("poisson:rate=5,requests=20000", 5, 1)]
    [InlineData("gamma:rate=5,cv=2,requests=20000", 5, 2)]
    [InlineData("gamma:rate=5,requests=60000", 5, 4)]
    [InlineData("gamma:rate=3,cv=0.5,requests=20000", 3, 0.5)]
    [InlineData("w1:requests=20000", 5.5, 1)]
    [InlineData("w3:requests=60000", 5, 4)]
    [InlineData("uniform:rate=8,requests=100", 8, 0)]
    public void Arrivals_Drawn_HaveTheirRateAndVariation(string spec, double rate, double variation)
    {
        var arrivals = TraceReading.All(spec).Select(row => row.Arrival.TotalSeconds).ToArray();

        var gaps = arrivals.Zip(arrivals.Skip(1), (earlier, later) => later - earlier).ToArray();
        var mean = gaps.Average();
        var deviation = Math.Sqrt(gaps.Average(gap => (gap - mean) * (gap - mean)));
        Assert.All(gaps, gap => Assert.True(gap >= 0));
        Assert.InRange(1 / mean, rate * 0.95, rate * 1.05);
        Assert.InRange(deviation / mean, variation * 0.95, (variation * 1.05) + 1e-5);
    }

    [Theory]
    [InlineData("poisson:input=800,output=1", 800, 800, 1, 1)]
    [InlineData("w1", 790, 822, 172, 190)]
    [InlineData("w2", 195, 207, 1380, 1520)]
    [InlineData("poisson:input=uniform(100,200),output=exponential(50)", 148, 152, 48, 52)]
    [InlineData("poisson:input=lognormal(800,0.8),output=pareto(100,3)", 1060, 1145, 145, 155)]
    public void Lengths_Drawn_HaveTheirMeans(string spec, double leastInput, double mostInput, double leastOutput, double mostOutput)
    {
        var rows = TraceReading.All(spec + (spec.Contains(':', StringComparison.Ordinal) ? "," : ":") + "requests=20000");

        Assert.InRange(rows.Average(row => row.InputTokens), leastInput, mostInput);
        Assert.InRange(rows.Average(row => row.OutputTokens), leastOutput, mostOutput);
    }

    [Fact]
    public void HeavyTail_Drawn_HasTheMedianAndTailOfTheTrace()
    {
        var outputs = TraceReading.All("heavytail:requests=50000").Select(row => row.OutputTokens).Order().ToArray();

        Assert.InRange(outputs[25_000], 305, 330);
        Assert.InRange(outputs[49_500], 6_900, 8_200);
    }

    [Fact]
    public void Classes_Drawn_HaveTheMeasuredSharesMeansAndMedians()
    {
        (double Share, double Mean, double Median)[] measured = [(0.2515, 35.6, 19), (0.2496, 120.9, 94), (0.2319, 228.2, 221), (0.2388, 314.3, 326), (0.0283, 342.1, 376)];

        var rows = TraceReading.All("w1:requests=50000");

        foreach (var group in rows.GroupBy(row => row.LengthClass!.Value))
        {
            var (share, mean, median) = measured[group.Key];
            Assert.InRange(group.Count() / 50_000.0, share * 0.93, share * 1.07);
            Assert.InRange(group.Average(row => row.OutputTokens), mean * 0.88, mean * 1.16);
            Assert.InRange(group.Select(row => row.OutputTokens).Order().ElementAt(group.Count() / 2), (median * 0.93) - 1, (median * 1.07) + 1);
            Assert.InRange(group.Max(row => row.OutputTokens), 400, 511);
        }

        Assert.Equal(5, rows.Select(row => row.LengthClass).Distinct().Count());
        Assert.All(rows, row => Assert.InRange(row.InputTokens, 262, 1_500));
    }

    [Theory]
    [InlineData("w1:clients=5")]
    [InlineData("w6")]
    [InlineData("w9")]
    [InlineData("sessions")]
    [InlineData("siblings")]
    [InlineData("heavytail:cv=3")]
    public void Generate_SameSeed_GivesTheSameAndAnotherSeedAnother(string spec)
    {
        var first = Facts(TraceReading.All(spec, new TraceSettings { Seed = 7 }));

        Assert.Equal(first, Facts(TraceReading.All(spec, new TraceSettings { Seed = 7 })));
        Assert.NotEqual(first, Facts(TraceReading.All(spec, new TraceSettings { Seed = 8 })));
    }

    [Fact]
    public void Generate_OneParameterChanged_LeavesOtherDrawsAsTheyWere()
    {
        var plain = TraceReading.All("w1:clients=5");
        var otherInputs = TraceReading.All("w1:clients=5,input=uniform(1,9)");
        var otherTimes = TraceReading.All("w1:clients=5,cv=4");

        Assert.Equal(plain.Select(row => (row.Arrival, row.OutputTokens, row.ClientId)), otherInputs.Select(row => (row.Arrival, row.OutputTokens, row.ClientId)));
        Assert.Equal(plain.Select(row => (row.InputTokens, row.OutputTokens, row.ClientId)), otherTimes.Select(row => (row.InputTokens, row.OutputTokens, row.ClientId)));
        Assert.NotEqual(plain.Select(row => row.Arrival), otherTimes.Select(row => row.Arrival));
    }

    [Fact]
    public void Clients_OneFloods_AsksThatOftenMore()
    {
        var counts = TraceReading.All("poisson:clients=4,flood=10,requests=13000").CountBy(row => row.ClientId!).ToDictionary();

        Assert.Equal(["c0", "c1", "c2", "c3"], counts.Keys.Order());
        Assert.InRange(counts["c0"], 9_700, 10_300);
        Assert.InRange(counts["c1"], 880, 1_120);
        Assert.InRange(counts["c3"], 880, 1_120);
    }

    [Fact]
    public void Groups_Drawn_ShareTheirBeginningOnly()
    {
        var rows = TraceReading.All("w6");

        var groups = rows.GroupBy(row => row.Blocks.Span[0]).Select(group => group.ToArray()).ToArray();
        Assert.Equal(750, rows.Count);
        Assert.All(rows, row => Assert.Equal((10_000, 1_000), (row.InputTokens, row.OutputTokens)));
        Assert.Equal(150, groups.Length);
        Assert.All(groups, group => Assert.Equal(5, group.Length));
        Assert.All(groups, group => Assert.Equal(9_500 / 16, TraceReading.Shared(group[0], group[4])));
        Assert.Contains(rows.Zip(rows.Skip(1)), pair => TraceReading.Shared(pair.First, pair.Second) == 0);
    }

    [Fact]
    public void Sessions_Drawn_GrowAndPauseAndShareTheSystemPrompt()
    {
        var rows = TraceReading.All("sessions:rate=2,turns=4,system=1000,user=200,output=100,think=7s,requests=400");

        var sessions = rows.GroupBy(row => row.SessionId).Select(group => group.ToArray()).ToArray();
        Assert.Equal(100, sessions.Length);
        Assert.All(sessions, session =>
        {
            Assert.Equal([1_200, 1_500, 1_800, 2_100], session.Select(row => row.InputTokens));
            Assert.Equal([null, 7.0, 7.0, 7.0], session.Select(row => row.Think?.TotalSeconds));
            Assert.Single(session.Select(row => row.Arrival).Distinct());
            Assert.Equal(1_500 / 16, TraceReading.Shared(session[1], session[3]));
        });
        Assert.Equal(1_000 / 16, TraceReading.Shared(sessions[0][0], sessions[1][3]));
        Assert.InRange(sessions[^1][0].Arrival.TotalSeconds, 40, 62);
    }

    [Fact]
    public void Sessions_Drawn_EndWhereTheContextIsFull()
    {
        var rows = TraceReading.All("sessions:turns=50,system=1000,user=500,output=500,context=4000,requests=300");

        Assert.All(rows, row => Assert.True(row.InputTokens + row.OutputTokens <= 4_000));
        Assert.Equal(100, rows.Select(row => row.SessionId).Distinct().Count());
    }

    [Fact]
    public void Sessions_SeveralSystemPrompts_AreShared()
    {
        var firsts = TraceReading.All("sessions:turns=1,systems=3,requests=200").Select(row => row.Blocks.Span[0]);

        Assert.Equal(3, firsts.Distinct().Count());
    }

    [Fact]
    public void Siblings_Drawn_ComeTogetherWithOneBeginning()
    {
        var rows = TraceReading.All("siblings:burst=10,window=20ms,shared=1600,requests=95");

        var bursts = rows.Chunk(10).ToArray();
        Assert.Equal(95, rows.Count);
        Assert.All(bursts, burst =>
        {
            Assert.True(burst[^1].Arrival - burst[0].Arrival <= TimeSpan.FromMilliseconds(20));
            Assert.Equal(100, TraceReading.Shared(burst[0], burst[^1]));
        });
        Assert.Equal(0, TraceReading.Shared(bursts[0][0], bursts[1][0]));
        Assert.True(rows.Zip(rows.Skip(1)).All(pair => pair.First.Arrival <= pair.Second.Arrival));
    }

    [Fact]
    public void Deadlines_Drawn_HalfIsInteractive()
    {
        var rows = TraceReading.All("w9:requests=4000");

        var interactive = rows.Where(row => row.Priority == PriorityClass.Interactive).ToArray();
        Assert.InRange(interactive.Length, 1_900, 2_100);
        Assert.All(interactive, row => Assert.Equal(TimeSpan.FromSeconds(1), row.TimeToFirstTokenSlo));
        Assert.All(rows.Except(interactive), row => Assert.Equal((PriorityClass.Batch, TimeSpan.FromSeconds(30)), (row.Priority, row.TimeToFirstTokenSlo!.Value)));
    }

    [Theory]
    [InlineData("w1:rat=5", "w1: no parameter rat. Parameters: rate, cv, requests, input, output, clients, flood, interactive.")]
    [InlineData("w1:rate=0", "w1: rate=0 is not allowed. Allowed: a number from 1E-06 to 1000000.")]
    [InlineData("w1:rate=x", "w1: rate=x is not allowed.")]
    [InlineData("w1:rate", "w1:rate: \"rate\" is no parameter. Write w1:key=value,key=value.")]
    [InlineData("w1:", "w1:: \"\" is no parameter.")]
    [InlineData("w1:rate=1,rate=2", "w1:rate=1,rate=2: rate is there twice.")]
    [InlineData("w1:requests=0", "w1: requests=0 is not allowed. Allowed: a whole number from 1")]
    [InlineData("w1:output=zipf(2)", "w1: output=zipf(2): no such lengths. Allowed: 800, uniform(from,to),")]
    [InlineData("w1:output=lognormal(2)", "w1: output=lognormal(2): no such lengths.")]
    [InlineData("w1:output=lognormal(2,x)", "w1: output=lognormal(2,x): no such lengths.")]
    [InlineData("w1:output=uniform(9,2)", "w1: output=uniform(9,2): no such lengths.")]
    [InlineData("w1:output=uniform(2,9", "w1: output=uniform(2,9: no such lengths.")]
    [InlineData("w1:input=0", "w1: input=0: no such lengths.")]
    [InlineData("sessions:think=5", "sessions: think=5 is not allowed. Allowed: a span such as 5s or 500ms")]
    [InlineData("sessions:think=9h", "sessions: think=9h is not allowed.")]
    [InlineData("w6:groups=100000,prompts=1000", "w6: groups x prompts is not allowed above")]
    public void Open_WrongWords_SaysWhatIsAllowed(string spec, string expected) =>
        Assert.StartsWith(expected, Assert.Throws<TraceException>(() => TraceSource.Open(spec, new())).Message, StringComparison.Ordinal);

    private static List<string> Facts(List<TraceRequest> rows) =>
        [.. rows.Select(row => FormattableString.Invariant($"{row.Arrival.Ticks} {row.InputTokens} {row.OutputTokens} {row.LengthClass} {row.ClientId} {row.Priority} {(row.Blocks.IsEmpty ? 0 : row.Blocks.Span[^1])}"))];
}
