using Gateway.Api;
using Gateway.Requests;
using Gateway.Tests.Deploy;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Api;

public sealed class HeaderFactsTests
{
    private const string Trace = "0af7651916cd43dd8448eb211c80319c";

    [Fact]
    public void RequestId_OfWhoBringsNone_IsAnotherOneEachTime()
    {
        // More than are drawn at once.
        var ids = Enumerable.Range(0, 1_000).Select(_ => HeaderFacts.RequestId(new HeaderDictionary())).ToArray();

        Assert.Equal(ids.Length, ids.Distinct().Count());
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{32}$", id));
    }

    [Fact]
    public void Names_ThatAreRead_StandInTheReadme()
    {
        var readme = DeployFile.Read("README.md");

        Assert.All(HeaderFacts.Names, name => Assert.Contains($"`{name}`", readme, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("00-" + Trace + "-b7ad6b7169203331-01", Trace)]
    [InlineData("soon", "00000000000000000000000000000000")]
    [InlineData("", "00000000000000000000000000000000")]
    public void TraceId_OfWhatTheClientSent_IsItsTrace(string sent, string expected) =>
        Assert.Equal(expected, HeaderFacts.TraceId(new HeaderDictionary { ["traceparent"] = sent }).ToHexString());

    [Theory]
    [InlineData("x-gateway-priority", "default", PriorityClass.Default)]
    [InlineData("x-smg-priority", "bulk", PriorityClass.Batch)]
    [InlineData("x-request-priority", "whatever", null)]
    [InlineData("x-other", "batch", null)]
    public void Read_OfAClass_TellsTheDefaultOneFromNone(string header, string value, PriorityClass? expected)
    {
        Assert.Null(HeaderFacts.Read(new HeaderDictionary { [header] = value }, new PrefixHasher(1), out var facts));

        Assert.Equal(expected, facts.Priority);
    }

    [Theory]
    [InlineData("7", 7)]
    [InlineData("+7", 7)]
    [InlineData("-0007", -7)]
    [InlineData("3000000000", 1_000_000)]
    [InlineData("-99999999999999999999999999", -1_000_000)]
    [InlineData("-0", 0)]
    public void Read_OfAnIntegerPriority_IsTheNearestLevel(string value, int expected)
    {
        Assert.Null(HeaderFacts.Read(new HeaderDictionary { ["x-gateway-priority"] = value }, new PrefixHasher(1), out var facts));

        Assert.Equal(expected, facts.PriorityLevel);
    }

    [Theory]
    [InlineData("+")]
    [InlineData("1.5")]
    [InlineData("--1")]
    [InlineData("1e3")]
    public void Read_OfAPriorityThatIsNoInteger_IsAProblem(string value) =>
        Assert.NotNull(HeaderFacts.Read(new HeaderDictionary { ["x-gateway-priority"] = value }, new PrefixHasher(1), out _));

    [Theory]
    [InlineData("2.5", null, 2.5, 2.5)]
    [InlineData(null, "0.25", null, 0.25)]
    [InlineData("2.5", "9", 2.5, 9.0)]
    [InlineData(null, null, null, null)]
    public void Read_OfTimeouts_HasOneForPlainAnswersAndOneForStreams(string? both, string? stream, double? plainSeconds, double? streamSeconds)
    {
        var headers = new HeaderDictionary { ["x-litellm-timeout"] = both, ["x-litellm-stream-timeout"] = stream };

        Assert.Null(HeaderFacts.Read(headers, new PrefixHasher(1), out var facts));

        Assert.Equal((plainSeconds, streamSeconds), (facts.PlainTimeout?.TotalSeconds, facts.StreamTimeout?.TotalSeconds));
    }

    [Theory]
    [InlineData(null, null)]
    [InlineData("0", 0)]
    [InlineData("100", 100)]
    public void Read_OfRetries_IsTheirNumber(string? sent, int? expected)
    {
        Assert.Null(HeaderFacts.Read(new HeaderDictionary { ["x-litellm-num-retries"] = sent }, new PrefixHasher(1), out var facts));

        Assert.Equal(expected, facts.MaxRetries);
    }

    [Theory]
    [InlineData("x-gateway-fairness-id")]
    [InlineData("x-llm-d-inference-fairness-id")]
    public void Read_OfAFlow_KeepsItApartByWhoNamesItAlsoWithoutAKey(string header)
    {
        ulong[] flows = [Flow("a", null), Flow("b", null), Flow("a", "Bearer one"), Flow("a", "Bearer two")];

        Assert.Equal(4, flows.Distinct().Count());
        Assert.DoesNotContain(0ul, flows);
        Assert.Equal((flows[0], 0ul), (Flow("a", null), Flow("", "Bearer one")));

        ulong Flow(string flow, string? key)
        {
            var headers = new HeaderDictionary { [header] = flow, ["Authorization"] = key };
            Assert.Null(HeaderFacts.Read(headers, new PrefixHasher(1), out var facts));
            return facts.FlowKey;
        }
    }
}
