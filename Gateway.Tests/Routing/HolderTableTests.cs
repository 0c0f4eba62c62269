using Gateway.Routing;
using Xunit.Abstractions;

namespace Gateway.Tests.Routing;

public sealed class HolderTableTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData(1, 30, 200)]
    [InlineData(2, 3, 4_000)]
    [InlineData(3, 64, 3_000)]
    [InlineData(4, 300, 40)]
    public void Table_AfterAnyOperations_AgreesWithAPlainModel(int seed, int slots, int keys)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var table = new HolderTable(64 << 20);
        var model = new Model();

        for (var now = 1; now < 40_000; now++)
        {
            var key = (ulong)chance.Next(keys) * (seed % 2 == 0 ? 1UL : 0x9E3779B97F4A7C15);
            var slot = chance.Next(slots);
            switch (chance.Next(24))
            {
                case < 12:
                    var tokens = chance.Next(600);
                    Assert.Equal(model.Touch(key, slot, tokens, now), table.Touch(key, slot, tokens, now));
                    break;
                case < 14:
                    table.Set(key, slot, now);
                    model.Set(key, slot, now);
                    break;
                case 14:
                    var room = chance.Next(40_000);
                    table.Trim(slot, room);
                    model.Trim(slot, room);
                    break;
                case 15:
                    var notBefore = now - chance.Next(1, 20_000);
                    table.Expire(slot, notBefore);
                    model.Expire(slot, notBefore);
                    break;
                case 16 when chance.Next(20) == 0:
                    table.Forget(slot);
                    model.Expire(slot, long.MaxValue);
                    break;
                default:
                    Assert.Equal(model.Holders(key), HoldersOf(table, key, slots));
                    break;
            }
            Assert.Equal((model.Count, model.TokensOf(slot)), (table.Count, table.TokensOf(slot)));
        }
        Assert.All(Enumerable.Range(0, keys), key => Assert.Equal(model.Holders((ulong)key), HoldersOf(table, (ulong)key, slots)));
    }

    [Theory]
    [InlineData(1L << 20, 3)]
    [InlineData(5_000_000L, 60)]
    [InlineData(3L << 20, 900)]
    public void Touch_UntilTheTableIsFull_StaysWithinItsMemoryAndKeepsTheNewest(long maxBytes, int slots)
    {
        var table = new HolderTable(maxBytes);
        for (var key = 0; key < 200_000; key++)
        {
            table.Touch((ulong)key, key % slots, 16, key);
        }

        Assert.InRange(table.Bytes, maxBytes / 2, maxBytes);
        Assert.NotNull(table.UsedAt(199_999, 199_999 % slots));
        Assert.Null(table.UsedAt(0, 0));
    }

    [Fact]
    public void Touch_WhenTheTableIsFull_TakesFromWhoHoldsMoreThanItsShare()
    {
        var table = new HolderTable(1 << 20);
        table.Touch(ulong.MaxValue, 1, 16, 0);
        for (var key = 0; key < 100_000; key++)
        {
            table.Touch((ulong)key, 0, 16, key);
        }

        // The one block of the small slot is older than everything that went.
        Assert.NotNull(table.UsedAt(ulong.MaxValue, 1));
    }

    [Fact]
    public void MaxBytes_MadeLessAndThenMore_ForgetsTheOldestAndTakesMore()
    {
        var table = new HolderTable(8 << 20);
        for (var key = 0; key < 100_000; key++)
        {
            table.Touch((ulong)key, key % 7, 16, key);
        }

        table.MaxBytes = 1 << 20;
        var small = (table.Count, table.Bytes, Oldest: table.UsedAt(0, 0), Newest: table.UsedAt(99_999, 99_999 % 7));
        table.MaxBytes = 8 << 20;
        for (var key = 0; key < 100_000; key++)
        {
            table.Touch((ulong)key, key % 7, 16, 200_000 + key);
        }

        Assert.InRange(small.Count, 15_000, 25_000);
        Assert.InRange(small.Bytes, 1, 1 << 20);
        Assert.Equal((null, 99_999L), (small.Oldest, small.Newest));
        Assert.Equal(100_000, table.Count);
    }

    private static List<int> HoldersOf(HolderTable table, ulong key, int slots)
    {
        var left = new ulong[table.SlotWords];
        Array.Fill(left, ulong.MaxValue);
        var isAny = table.Narrow(key, left);
        List<int> holders = [.. Enumerable.Range(0, Math.Max(slots, table.Slots)).Where(slot => slot / 64 < left.Length && (left[slot / 64] >> (slot % 64) & 1) == 1)];
        Assert.Equal(isAny, holders.Count > 0);
        return holders;
    }

    private sealed class Model
    {
        private readonly Dictionary<(ulong Key, int Slot), (int Tokens, long UsedAt)> _holdings = [];

        public int Count => _holdings.Count;

        public long? Touch(ulong key, int slot, int tokens, long now)
        {
            long? before = _holdings.TryGetValue((key, slot), out var known) ? known.UsedAt : null;
            _holdings[(key, slot)] = (tokens, now);
            return before;
        }

        public void Set(ulong key, int slot, long now)
        {
            foreach (var holding in _holdings.Keys.Where(holding => holding.Key == key).ToList())
            {
                _holdings.Remove(holding);
            }
            Touch(key, slot, 0, now);
        }

        public void Trim(int slot, long tokens)
        {
            foreach (var holding in Of(slot))
            {
                if (TokensOf(slot) <= tokens)
                {
                    return;
                }
                _holdings.Remove(holding);
            }
        }

        public void Expire(int slot, long notBefore)
        {
            foreach (var holding in Of(slot).Where(holding => _holdings[holding].UsedAt < notBefore))
            {
                _holdings.Remove(holding);
            }
        }

        public long TokensOf(int slot) => _holdings.Where(holding => holding.Key.Slot == slot).Sum(holding => (long)holding.Value.Tokens);

        public List<int> Holders(ulong key) => [.. _holdings.Keys.Where(holding => holding.Key == key).Select(holding => holding.Slot).Order()];

        private List<(ulong Key, int Slot)> Of(int slot) =>
            [.. _holdings.Where(holding => holding.Key.Slot == slot).OrderBy(holding => holding.Value.UsedAt).Select(holding => holding.Key)];
    }
}
