namespace Gateway.Configuration;

/// <summary>A piece of the file with its place. Immutable: an anchor's aliases share one node.</summary>
/// <param name="Where">Where the value begins.</param>
internal abstract record SettingNode(SourceSpot Where)
{
    /// <summary>Nodes in this subtree with every alias written out.</summary>
    public abstract long Size { get; }

    /// <summary>Levels in this subtree, 1 for a single value.</summary>
    public abstract int Height { get; }

    /// <summary>Nothing written after the key: the default stands.</summary>
    public virtual bool IsAbsent => false;
}

/// <summary>One value. Plain means written without quotes, so that an empty text or <c>null</c> stands for nothing at all.</summary>
internal sealed record ScalarNode(SourceSpot Where, string Text, bool IsPlain) : SettingNode(Where)
{
    public override long Size => 1;

    public override int Height => 1;

    public override bool IsAbsent => IsPlain && Text is "" or "~" or "null";
}

internal sealed record ListNode(SourceSpot Where, IReadOnlyList<SettingNode> Items) : SettingNode(Where)
{
    public override long Size { get; } = 1 + Items.Sum(item => item.Size);

    public override int Height { get; } = 1 + Items.Select(item => item.Height).DefaultIfEmpty().Max();
}

internal sealed record MapNode(SourceSpot Where, IReadOnlyList<SettingEntry> Entries) : SettingNode(Where)
{
    public override long Size { get; } = 1 + Entries.Sum(entry => 1 + entry.Value.Size);

    public override int Height { get; } = 1 + Entries.Select(entry => entry.Value.Height).DefaultIfEmpty().Max();

    public SettingNode? this[string key] => Entries.FirstOrDefault(entry => entry.Key == key)?.Value;

    /// <summary>The same map with one key set, in its place where it was there.</summary>
    public MapNode With(SettingEntry entry)
    {
        var at = Entries.ToList().FindIndex(existing => existing.Key == entry.Key);
        return new MapNode(Where, at < 0 ? [.. Entries, entry] : [.. Entries.Take(at), entry, .. Entries.Skip(at + 1)]);
    }
}

internal sealed record SettingEntry(string Key, SourceSpot KeyWhere, SettingNode Value);
