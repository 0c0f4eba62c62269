using Gateway.Routing;
using Xunit.Abstractions;

namespace Gateway.Tests.Routing;

public sealed class HolderTableTests(ITestOutputHelper output)
{
    private const int BytesPerKey = 44;

    [Theory]
    [InlineData(1, 64, 30)]
    [InlineData(2, 200, 64)]
    [InlineData(3, 3_000, 64)]
    [InlineData(4, 500, 200)]
    public void Table_AfterAnyOperations_AgreesWithAPlainModel(int seed, int maxKeys, int slots)
    {
        output.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var words = ((slots - 1) / 64) + 1;
        var table = new HolderTable(maxKeys * (BytesPerKey + (8L * (words - 1))));
        // The sets have their full width from the start, so that the bound does not move.
        table.Add(ulong.MaxValue, slots - 1, 0, 0);
        var model = new Model(maxKeys);
        model.Touch(ulong.MaxValue, slots - 1, 0, 0, replaces: false);

        for (var now = 1; now < 30_000; now++)
        {
            var key = (ulong)chance.Next(2 * maxKeys) * (seed % 2 == 0 ? 1UL : 0x9E3779B97F4A7C15);
            var slot = chance.Next(slots);
            var notBefore = now - chance.Next(1, 4 * maxKeys);
            switch (chance.Next(20))
            {
                case < 9:
                    table.Add(key, slot, now, notBefore);
                    model.Touch(key, slot, now, notBefore, replaces: false);
                    break;
                case < 13:
                    table.Set(key, slot, now);
                    model.Touch(key, slot, now, notBefore, replaces: true);
                    break;
                case 13 when chance.Next(20) == 0:
                    table.Forget(slot);
                    model.Forget(slot);
                    break;
                default:
                    Assert.Equal(model.Holders(key, notBefore), SlotsOf(table.Holders(key, notBefore)));
                    break;
            }
            Assert.Equal(model.Count, table.Count);
        }
        Assert.All(model.Keys, key => Assert.Equal(model.Holders(key, 0), SlotsOf(table.Holders(key, 0))));
    }

    [Fact]
    public void Add_BeyondSixtyFourSlots_KeepsTheNewestWithinTheSameMemory()
    {
        var table = new HolderTable(1_000 * BytesPerKey);
        for (var key = 1; key <= 1_000; key++)
        {
            table.Add((ulong)key, key % 64, key, 0);
        }

        table.Add(5_000, 64, 1_001, 0);

        Assert.Equal(2, table.Words);
        Assert.Equal(1_000 * BytesPerKey / (BytesPerKey + 8), table.Count);
        Assert.Equal([1_000 % 64], SlotsOf(table.Holders(1_000, 0)));
        Assert.Equal([64], SlotsOf(table.Holders(5_000, 0)));
        Assert.Empty(SlotsOf(table.Holders(1, 0)));
    }

    [Theory]
    [InlineData(1L << 20, 3)]
    [InlineData(5_000_000L, 60)]
    [InlineData(3L << 20, 500)]
    public void Add_UntilTheTableIsFull_StaysWithinItsMemory(long maxBytes, int slots)
    {
        var table = new HolderTable(maxBytes);
        table.Add(0, slots - 1, 0, 0);
        for (var key = 1; key < 200_000; key++)
        {
            table.Add((ulong)key, key % slots, key, 0);
        }

        Assert.InRange(table.Bytes, maxBytes / 2, maxBytes);
    }

    private static List<int> SlotsOf(ReadOnlySpan<ulong> holders)
    {
        var slots = new List<int>();
        for (var slot = 0; slot < holders.Length * 64; slot++)
        {
            if ((holders[slot / 64] & (1UL << (slot % 64))) != 0)
            {
                slots.Add(slot);
            }
        }
        return slots;
    }

    private sealed class Model(int maxKeys)
    {
        private readonly Dictionary<ulong, (SortedSet<int> Holders, long UsedAt, LinkedListNode<ulong> Place)> _entries = [];
        private readonly LinkedList<ulong> _byUse = new();

        public int Count => _entries.Count;

        public IReadOnlyCollection<ulong> Keys => _entries.Keys;

        public void Touch(ulong key, int slot, long now, long notBefore, bool replaces)
        {
            if (_entries.Remove(key, out var known))
            {
                _byUse.Remove(known.Place);
            }
            else if (_entries.Count == maxKeys)
            {
                _entries.Remove(_byUse.First!.Value);
                _byUse.RemoveFirst();
            }
            var holders = known.Holders is null || replaces || known.UsedAt < notBefore ? [] : known.Holders;
            holders.Add(slot);
            _entries[key] = (holders, now, _byUse.AddLast(key));
        }

        public void Forget(int slot)
        {
            foreach (var entry in _entries.Values)
            {
                entry.Holders.Remove(slot);
            }
        }

        public List<int> Holders(ulong key, long notBefore) =>
            _entries.TryGetValue(key, out var entry) && entry.UsedAt >= notBefore ? [.. entry.Holders] : [];
    }
}
