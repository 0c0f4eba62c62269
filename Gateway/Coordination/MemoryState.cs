using System.Globalization;

namespace Gateway.Coordination;

/// <summary>What several gateways of one process share. Thread-safe; answers at once.</summary>
/// <param name="time">By which entries expire.</param>
public sealed class MemoryState(TimeProvider time)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, SortedDictionary<string, (long At, byte[] Content)>> _boards = new(StringComparer.Ordinal);
    private readonly List<(string Gateway, byte[] Batch)> _news = [];
    private long _forgotten;

    /// <summary>Whether it answers: while it does not, every call fails.</summary>
    public bool IsGone { get; set; }

    /// <summary>A gateway's access.</summary>
    public ISharedState Join(string gateway) => new Member(this, gateway);

    /// <summary>Forgets everything.</summary>
    public void Flush()
    {
        lock (_gate)
        {
            _boards.Clear();
            _forgotten += _news.Count;
            _news.Clear();
        }
    }

    private List<BoardEntry> Post(string board, string gateway, byte[] entry, TimeSpan lease)
    {
        lock (_gate)
        {
            if (!_boards.TryGetValue(board, out var entries))
            {
                _boards[board] = entries = new(StringComparer.Ordinal);
            }
            entries.Remove(gateway);
            foreach (var expired in entries.Where(other => time.GetElapsedTime(other.Value.At) > lease).Select(other => other.Key).ToArray())
            {
                entries.Remove(expired);
            }
            var others = entries.Select(other => new BoardEntry(other.Key, time.GetElapsedTime(other.Value.At), other.Value.Content)).ToList();
            if (entry.Length > 0)
            {
                entries[gateway] = (time.GetTimestamp(), entry);
            }
            return others;
        }
    }

    private NewsPage Tell(string gateway, byte[] batch, string? after)
    {
        lock (_gate)
        {
            if (batch.Length > 0)
            {
                _news.Add((gateway, batch));
            }
            if (_news.Count > News.MostBatches)
            {
                _news.RemoveAt(0);
                _forgotten++;
            }
            var from = after is null ? 0 : (int)Math.Max(0, long.Parse(after, CultureInfo.InvariantCulture) - _forgotten);
            return new NewsPage(
                [.. _news.Skip(from).Where(told => told.Gateway != gateway).Select(told => told.Batch)],
                (_forgotten + _news.Count).ToString(CultureInfo.InvariantCulture));
        }
    }

    private sealed class Member(MemoryState state, string gateway) : ISharedState
    {
        public ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken) => state.IsGone
            ? ValueTask.FromException<IReadOnlyList<BoardEntry>>(new IOException("The shared state is gone."))
            : ValueTask.FromResult<IReadOnlyList<BoardEntry>>(state.Post(board, gateway, entry, lease));

        public ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken) => state.IsGone
            ? ValueTask.FromException<NewsPage>(new IOException("The shared state is gone."))
            : ValueTask.FromResult(state.Tell(gateway, batch, after));
    }
}
