using System.Globalization;
using System.Text;

namespace Gateway.Replicas.Engines.Adapters;

/// <summary>Series whose samples add up to one number: over names, and over data-parallel ranks.</summary>
internal sealed class Series(params string[] names)
{
    public byte[][] Names { get; } = [.. names.Select(Encoding.UTF8.GetBytes)];

    /// <summary>Only samples with this label value; null: all.</summary>
    public (byte[] Label, byte[] Value)? Where { get; init; }

    public static implicit operator Series(string name) => new(name);
}

/// <summary>The metric names of one engine. Each field lists alternatives, the best first; the first that the page has counts.</summary>
internal sealed record MetricTable
{
    public Series[] Running { get; init; } = [];

    public Series[] Waiting { get; init; } = [];

    /// <summary>A share, 0 to 1; averaged over ranks.</summary>
    public Series[] KvUsage { get; init; } = [];

    public Series[] KvUsedTokens { get; init; } = [];

    public Series[] KvCapacityTokens { get; init; } = [];

    public Series[] KvBlocks { get; init; } = [];

    /// <summary>Tokens of a block; averaged over ranks.</summary>
    public Series[] KvBlockTokens { get; init; } = [];

    /// <summary>Series that carry the number of blocks, their size, and whether they keep prefixes, as labels.</summary>
    public Series[] KvInfo { get; init; } = [];

    public Series[] Slots { get; init; } = [];

    public Series[] Preemptions { get; init; } = [];

    public Series[] PrefixHitTokens { get; init; } = [];

    public Series[] PrefixQueryTokens { get; init; } = [];

    public Series[] Progress { get; init; } = [];

    /// <summary>Labels by which an engine repeats the same amounts: a sample counts where each is missing, empty or "0".</summary>
    public string[] RepeatedBy { get; init; } = [];

    /// <summary>Labels by which an engine splits a total that it also tells: a sample counts where each is missing or empty.</summary>
    public string[] SplitBy { get; init; } = [];

    /// <summary>Reads a page; null: none of the engine's series stands there, which is not the same as idle.</summary>
    /// <param name="page">The page, UTF-8.</param>
    /// <param name="knownCapacityTokens">KV room told elsewhere, for pages that tell only the used tokens.</param>
    public EngineReport? Read(ReadOnlySpan<byte> page, long? knownCapacityTokens = null)
    {
        var tally = new Tally(this);
        foreach (var sample in new PrometheusText(page))
        {
            tally.Add(sample);
        }
        return tally.IsEmpty ? null : tally.ToReport(knownCapacityTokens);
    }

    private sealed class Tally
    {
        private readonly List<Entry> _entries = [];
        private readonly MetricTable _table;
        private readonly byte[][] _repeatedBy;
        private readonly byte[][] _splitBy;

        public Tally(MetricTable table)
        {
            _table = table;
            _repeatedBy = [.. table.RepeatedBy.Select(Encoding.UTF8.GetBytes)];
            _splitBy = [.. table.SplitBy.Select(Encoding.UTF8.GetBytes)];
            Series[][] signals =
            [
                table.Running, table.Waiting, table.KvUsage, table.KvUsedTokens, table.KvCapacityTokens, table.KvBlocks, table.KvBlockTokens,
                table.KvInfo, table.Slots, table.Preemptions, table.PrefixHitTokens, table.PrefixQueryTokens, table.Progress,
            ];
            foreach (var series in signals.SelectMany(signal => signal))
            {
                _entries.Add(new Entry(series));
            }
        }

        public bool IsEmpty => _entries.TrueForAll(entry => entry.Samples == 0);

        public void Add(in PrometheusSample sample)
        {
            foreach (var entry in _entries)
            {
                foreach (var name in entry.Series.Names)
                {
                    if (IsNamed(sample.Name, name) && Counts(sample, entry.Series))
                    {
                        entry.Add(sample);
                        break;
                    }
                }
            }
        }

        public EngineReport ToReport(long? knownCapacityTokens)
        {
            var capacity = Sum(_table.KvCapacityTokens) ?? Sum(_table.KvBlocks) * Mean(_table.KvBlockTokens) ?? InBlocks(_table.KvInfo);
            return new EngineReport
            {
                RunningRequests = Plausible.Count(Sum(_table.Running)),
                WaitingRequests = Plausible.Count(Sum(_table.Waiting)),
                KvUsage = Plausible.Share(Mean(_table.KvUsage) ?? Sum(_table.KvUsedTokens) / (capacity ?? knownCapacityTokens)),
                KvCapacityTokens = Plausible.Tokens(capacity),
                Slots = Plausible.AtLeastOne(Sum(_table.Slots)),
                Preemptions = Plausible.Total(Sum(_table.Preemptions)),
                CachesPrefixes = First(_table.KvInfo)?.CachesPrefixes,
                PrefixHitTokens = Plausible.Total(Sum(_table.PrefixHitTokens)),
                PrefixQueryTokens = Plausible.Total(Sum(_table.PrefixQueryTokens)),
                Progress = Plausible.Total(Sum(_table.Progress)),
            };
        }

        private double? Sum(Series[] alternatives) => First(alternatives)?.Sum;

        private double? Mean(Series[] alternatives) => First(alternatives) is { } entry ? entry.Sum / entry.Samples : null;

        private double? InBlocks(Series[] alternatives) => First(alternatives)?.BlockTokens is > 0 and var tokens ? tokens : null;

        private Entry? First(Series[] alternatives)
        {
            foreach (var series in alternatives)
            {
                if (_entries.Find(entry => entry.Series == series) is { Samples: > 0 } entry)
                {
                    return entry;
                }
            }
            return null;
        }

        private bool Counts(in PrometheusSample sample, Series series)
        {
            if (!double.IsFinite(sample.Value) || sample.Value < 0)
            {
                return false;
            }
            foreach (var label in _splitBy)
            {
                if (!sample.LabelIs(label, default))
                {
                    return false;
                }
            }
            foreach (var label in _repeatedBy)
            {
                if (!sample.LabelIs(label, default) && !sample.LabelIs(label, "0"u8))
                {
                    return false;
                }
            }
            return series.Where is not { } where || sample.LabelIs(where.Label, where.Value);
        }

        /// <summary>Under Ray the same series start with <c>ray_</c> and have no colon.</summary>
        private static bool IsNamed(ReadOnlySpan<byte> found, ReadOnlySpan<byte> name)
        {
            if (found.StartsWith("ray_"u8))
            {
                found = found["ray_".Length..];
            }
            if (found.Length != name.Length)
            {
                return false;
            }
            var colon = name.IndexOf((byte)':');
            return colon < 0 || found[colon] == '_'
                ? found[(colon + 1)..].SequenceEqual(name[(colon + 1)..]) && (colon < 0 || found[..colon].SequenceEqual(name[..colon]))
                : found.SequenceEqual(name);
        }
    }

    private sealed class Entry(Series series)
    {
        public Series Series { get; } = series;

        public int Samples { get; private set; }

        public double Sum { get; private set; }

        /// <summary>Blocks times their size, where the labels tell both.</summary>
        public double BlockTokens { get; private set; }

        /// <summary>As the labels tell; null: they do not.</summary>
        public bool? CachesPrefixes { get; private set; }

        public void Add(in PrometheusSample sample)
        {
            Samples++;
            Sum += sample.Value;
            if (Number(sample.Label("num_gpu_blocks"u8)) is { } blocks && Number(sample.Label("block_size"u8)) is { } size)
            {
                BlockTokens += blocks * size;
            }
            CachesPrefixes = bool.TryParse(sample.Label("enable_prefix_caching"u8), out var caches) ? caches : CachesPrefixes;
        }

        private static double? Number(string? text) =>
            double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value > 0 && double.IsFinite(value) ? value : null;
    }
}
