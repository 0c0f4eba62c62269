using Gateway.Estimation;
using Gateway.Estimation.Learned;
using Gateway.Requests.Sketching;
using Gateway.Tests.Fixtures;

namespace Gateway.Tests.Estimation.Learned;

public sealed class ReplayStoreTests
{
    [Theory]
    [InlineData(10)]
    [InlineData(300)]
    [InlineData(5_000)]
    public void Draw_ManyTimes_SeesEachAnswerAboutAsOften(int answers)
    {
        var store = new ReplayStore();
        var keys = new LengthKeys(new EstimationOptions());
        var row = new FeatureRow();
        row.Fill(CorePool.Request(), keys.Everybody, keys.Everybody);
        for (var i = 0; i < answers; i++)
        {
            store.Add(row, key: 5, logLength: i, weight: 1);
        }
        var seen = new int[answers];

        for (var i = 0; i < 20 * answers; i++)
        {
            seen[(int)store.Draw().LogLength]++;
        }

        Assert.All(seen, times => Assert.InRange(times, 17, 23));
    }

    [Fact]
    public void Draw_OfAnAnswerAcrossTheEndOfTheRing_GivesBackWhatWasAdded()
    {
        var store = new ReplayStore();
        var keys = new LengthKeys(new EstimationOptions());
        var rows = new List<FeatureRow>();
        foreach (var words in (int[])[41, 67, 110])
        {
            var request = CorePool.Request();
            var row = new FeatureRow();
            row.Fill(
                request with { Body = request.Body with { Sketch = TextSketch.Of(string.Join(' ', Enumerable.Range(words, words))) } }, keys.Everybody, keys.Everybody);
            rows.Add(row);
        }
        // Several times around.
        for (var i = 0; i < 60_000; i++)
        {
            store.Add(rows[i % rows.Count], key: (ulong)(i % rows.Count), logLength: 3, weight: 1);
        }

        for (var i = 0; i < 40_000; i++)
        {
            var again = store.Draw();
            var added = rows[(int)again.Key];
            Assert.True(again.Buckets.SequenceEqual(added.Buckets));
            for (var at = 0; at < again.Values.Length; at++)
            {
                Assert.True(Math.Abs(again.Values[at] - added.Values[at]) < 0.001f);
            }
        }
    }

    [Fact]
    public void Draw_OfAnAnswer_GivesBackWhatWasAdded()
    {
        var store = new ReplayStore();
        var keys = new LengthKeys(new EstimationOptions());
        var row = new FeatureRow();
        row.Fill(CorePool.Request(), keys.Everybody, keys.Everybody);
        store.Add(row, key: 5, logLength: 3, weight: 0.5f);

        var again = store.Draw();

        Assert.Equal(row.Buckets.ToArray(), again.Buckets.ToArray());
        Assert.All(row.Values.ToArray().Zip(again.Values.ToArray()), pair => Assert.Equal(pair.First, pair.Second, 0.001f));
        Assert.Equal((5ul, 3f, 0.5f), (again.Key, again.LogLength, again.Weight));
    }
}
