namespace Gateway.Coordination;

/// <summary>One gateway's access to what several hold in common: kept by another process, or in this one for tests and replays. Thread-safe.</summary>
/// <remarks>Throws where the other process does not answer; whoever asks goes on with what it knows.</remarks>
public interface ISharedState
{
    /// <summary>Puts this gateway's entry on a board in the place of its last one, and reads the others': one atomic step, so of two that post the later one sees the earlier one.</summary>
    /// <param name="board">Its name.</param>
    /// <param name="entry">At most a few KiB; empty: takes the entry away.</param>
    /// <param name="lease">How long an entry counts that is not renewed.</param>
    /// <param name="cancellationToken">Gives the answer up; what was sent may still take effect.</param>
    ValueTask<IReadOnlyList<BoardEntry>> PostAsync(string board, byte[] entry, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Tells the others something, and hears what they have told since.</summary>
    /// <param name="batch">The news; empty: none.</param>
    /// <param name="after">The last page's <see cref="NewsPage.Last"/>; null: from the oldest that is kept.</param>
    /// <param name="cancellationToken">Gives the answer up; what was sent may still take effect.</param>
    ValueTask<NewsPage> TellAsync(byte[] batch, string? after, CancellationToken cancellationToken);
}

/// <summary>What another gateway has on a board.</summary>
/// <param name="Gateway">Whose.</param>
/// <param name="Age">Since it was put there, by the clock of those who keep it.</param>
/// <param name="Content">As posted.</param>
public readonly record struct BoardEntry(string Gateway, TimeSpan Age, byte[] Content);

/// <summary>What others have told.</summary>
/// <param name="Batches">The oldest first.</param>
/// <param name="Last">Where to go on; null: nothing was ever told.</param>
public readonly record struct NewsPage(IReadOnlyList<byte[]> Batches, string? Last);
