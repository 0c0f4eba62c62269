using Gateway.Replay.Estimates;

namespace Gateway.Tests.Replay.Estimates;

public sealed class KendallTauTests
{
    // By hand: pairs that agree minus pairs that do not, over the root of the untied pairs of each side.
    [Theory]
    [InlineData(new double[] { 1, 2, 3, 4 }, new double[] { 1, 2, 3, 4 }, 1)]
    [InlineData(new double[] { 1, 2, 3, 4 }, new double[] { 4, 3, 2, 1 }, -1)]
    [InlineData(new double[] { 1, 2, 3, 4, 5 }, new double[] { 3, 1, 2, 5, 4 }, (7 - 3) / 10.0)]
    [InlineData(new double[] { 1, 2, 3 }, new double[] { 1, 1, 2 }, 0.81649658)]             // 2 / √(3·2)
    [InlineData(new double[] { 1, 1, 2, 2 }, new double[] { 1, 2, 2, 3 }, 0.67082039)]       // 3 / √(4·5)
    [InlineData(new double[] { 1, 1, 2 }, new double[] { 5, 5, 3 }, -1)]                     // −2 / √(2·2)
    [InlineData(new double[] { 7, 7, 7 }, new double[] { 1, 2, 3 }, 0)]
    [InlineData(new double[] { 7 }, new double[] { 1 }, 0)]
    [InlineData(new double[0], new double[0], 0)]
    public void B_OfSmallRankings_IsWhatCountingByHandGives(double[] first, double[] second, double expected) =>
        Assert.Equal(expected, KendallTau.B(first, second), 8);

    [Fact]
    public void B_OfRandomRankingsWithTies_AgreesWithCountingAllPairs()
    {
        for (var seed = 1; seed <= 200; seed++)
        {
            var chance = new Random(seed);
            var (length, values) = (chance.Next(2, 60), chance.Next(1, 20));
            var first = Drawn();
            var second = Drawn();

            Assert.True(Math.Abs(ByPairs(first, second) - KendallTau.B(first, second)) < 1e-12, $"seed {seed}");

            double[] Drawn() => [.. Enumerable.Range(0, length).Select(_ => (double)chance.Next(values))];
        }
    }

    private static double ByPairs(double[] first, double[] second)
    {
        var (sum, ofFirst, ofSecond) = (0, 0, 0);
        for (var i = 0; i < first.Length; i++)
        {
            for (var j = 0; j < i; j++)
            {
                var (one, other) = (Math.Sign(first[i] - first[j]), Math.Sign(second[i] - second[j]));
                (sum, ofFirst, ofSecond) = (sum + (one * other), ofFirst + (one * one), ofSecond + (other * other));
            }
        }
        return ofFirst == 0 || ofSecond == 0 ? 0 : sum / Math.Sqrt((double)ofFirst * ofSecond);
    }
}
