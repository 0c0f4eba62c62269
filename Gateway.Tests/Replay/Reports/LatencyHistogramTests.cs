using Gateway.Replay.Reports;
using Gateway.Tests.Fixtures;
using Xunit.Abstractions;

namespace Gateway.Tests.Replay.Reports;

public sealed class LatencyHistogramTests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, Func<Random, double>> Distributions = new()
    {
        ["uniform"] = chance => chance.NextDouble() * 100,
        ["exponential"] = chance => -Math.Log(1 - chance.NextDouble()) * 3,
        ["log-uniform over the whole range"] = chance => Math.Pow(10, -6 + (12 * chance.NextDouble())),
        ["heavy tail"] = chance => Math.Pow(1 - chance.NextDouble(), -1 / 1.1) / 1000,
        ["few values"] = chance => chance.Next(3) * 0.25,
        ["nearly equal"] = chance => 1 + (chance.NextDouble() * 1e-3),
    };

    public static TheoryData<string> Names => [.. Distributions.Keys];

    [Theory, MemberData(nameof(Names))]
    public void Quantile_OfDrawnValues_IsWithinHalfAPercentOfTheSortedValues(string name)
    {
        for (var seed = 1; seed <= 5; seed++)
        {
            output.WriteLine($"seed {seed}");
            var chance = new Random(seed);
            var values = Enumerable.Range(0, 1 + chance.Next(20_000)).Select(_ => Distributions[name](chance)).ToArray();
            var histogram = Of(values);

            Array.Sort(values);

            foreach (var share in new[] { 0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 })
            {
                var exact = values[Math.Min((int)(share * values.Length), values.Length - 1)];
                Assert.InRange(histogram.Quantile(share), (exact * 0.995) - 1e-6, (exact * 1.005) + 1e-6);
            }
            Assert.Equal(values[0], histogram.Min);
            Assert.Equal(values[^1], histogram.Max);
            Assert.Equal(values.Length, histogram.Count);
        }
    }

    [Theory, MemberData(nameof(Names))]
    public void Cdf_OfDrawnValues_RisesAndAgreesWithTheSortedValues(string name)
    {
        var chance = new Random(11);
        var values = Enumerable.Range(0, 10_000).Select(_ => Distributions[name](chance)).Order().ToArray();

        var curve = Of(values).Cdf(160);

        Assert.True(curve.Count <= 162);
        Assert.Equal(1, curve[^1].Share);
        Assert.Equal(values[^1], curve[^1].Value);
        for (var i = 1; i < curve.Count; i++)
        {
            Assert.True(curve[i].Value >= curve[i - 1].Value && curve[i].Share > curve[i - 1].Share);
            // Every value of a bin lies below its upper edge, so the share at that edge is exact.
            Assert.Equal(values.Count(value => value <= curve[i].Value), curve[i].Share * values.Length, 1e-6);
        }
    }

    [Fact]
    public void Sum_OfManySmallValuesBesideALargeOne_LosesNothing()
    {
        var histogram = new LatencyHistogram();
        histogram.Add(1e6);
        for (var i = 0; i < 1_000_000; i++)
        {
            histogram.Add(1e-6);
        }

        Assert.Equal(1_000_001, histogram.Sum, 1e-9);
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(-1)]
    public void Add_OfWhatIsNoDuration_CountsAsZero(double value)
    {
        var histogram = new LatencyHistogram();

        histogram.Add(value);

        Assert.Equal((1L, 0.0, 0.0, 0.0), (histogram.Count, histogram.Sum, histogram.Max, histogram.Quantile(0.5)));
    }

    [Fact]
    public void Add_ManyValues_AllocatesNothing()
    {
        var histogram = new LatencyHistogram();

        var allocated = Allocations.Least(() =>
        {
            for (var i = 0; i < 10_000; i++)
            {
                histogram.Add(i * 0.001);
            }
        });

        Assert.Equal(0, allocated);
    }

    private static LatencyHistogram Of(IEnumerable<double> values)
    {
        var histogram = new LatencyHistogram();
        foreach (var value in values)
        {
            histogram.Add(value);
        }
        return histogram;
    }
}
