using Gateway.Simulation;
using Xunit.Abstractions;

namespace Gateway.Tests.Simulation;

public class BlockPoolTests(ITestOutputHelper output)
{
    [Fact]
    public void Names_UnderRandomAddsAndRemoves_AgreeWithADictionary()
    {
        const int Seed = 99;
        output.WriteLine($"seed {Seed}");
        var chance = new Random(Seed);
        var names = new BlockNames(100);
        var expected = new Dictionary<ulong, int>();

        for (var round = 0; round < 50_000; round++)
        {
            var name = (ulong)chance.Next(150);
            if (expected.Remove(name))
            {
                names.Remove(name);
            }
            else if (expected.Count < 100)
            {
                names.Add(name, round);
                expected.Add(name, round);
            }

            var asked = (ulong)chance.Next(150);
            Assert.Equal(expected.GetValueOrDefault(asked, -1), names.Find(asked));
        }
    }

    [Fact]
    public void Take_AfterReleases_GivesTheLeastRecentlyReleasedAndForgetsItsName()
    {
        var pool = new BlockPool(2);
        var (first, second) = (pool.Take(), pool.Take());
        pool.Name(first, 7);
        pool.Name(second, 8);
        pool.Release(second);
        pool.Release(first);

        var reused = pool.Take();

        Assert.Equal(second, reused);
        Assert.Equal(-1, pool.Find(8));
        Assert.Equal(first, pool.Find(7));
    }

    [Fact]
    public void Share_OfAFreeBlock_TakesItOutOfTheFreeListUntilBothGaveItBack()
    {
        var pool = new BlockPool(2);
        var block = pool.Take();
        pool.Name(block, 7);
        pool.Release(block);

        pool.Share(pool.Find(7));
        pool.Share(pool.Find(7));
        pool.Release(block);

        Assert.Equal(1, pool.Free);
        Assert.NotEqual(block, pool.Take());
        pool.Release(block);
        Assert.Equal(1, pool.Free);
    }
}
