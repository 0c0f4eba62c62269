using Gateway.Replay.Estimates;

namespace Gateway.Tests.Replay.Estimates;

public sealed class LengthCountsTests
{
    [Theory]
    [InlineData(0, 3)]
    [InlineData(0.25, 3)]
    [InlineData(0.5, 5)]
    [InlineData(0.51, 8)]
    [InlineData(0.9, 9)]
    [InlineData(1, 9)]
    public void Quantile_OfFourLengths_IsTheSmallestThatTheShareDoesNotExceed(double share, int expected)
    {
        var lengths = new LengthCounts();
        foreach (var tokens in new[] { 9, 3, 8, 5 })
        {
            lengths.Add(tokens);
        }

        Assert.Equal(expected, lengths.Quantile(share));
    }

    [Fact]
    public void Quantile_WhileLengthsOfAnySizeCome_IsThatOfTheSortedList()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var chance = new Random(seed);
            var (lengths, sorted) = (new LengthCounts(), new List<int>());
            for (var i = 0; i < 300; i++)
            {
                var tokens = (int)Math.Pow(2, chance.NextDouble() * 19.9) - 1;
                lengths.Add(tokens);
                sorted.Add(tokens);
                sorted.Sort();
                var share = chance.NextDouble();

                Assert.True(sorted[Math.Max(0, (int)Math.Ceiling(share * sorted.Count) - 1)] == lengths.Quantile(share), $"seed {seed}, step {i}");
            }
        }
    }

    [Fact]
    public void Add_OfALengthBeyondTheLongest_CountsAsTheLongest()
    {
        var lengths = new LengthCounts();

        lengths.Add(100_000_000);

        Assert.Equal(LengthCounts.MostTokens, lengths.Quantile(0.5));
    }
}
