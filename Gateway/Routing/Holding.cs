namespace Gateway.Routing;

/// <summary>One slot's holding of one key: an entry of a <see cref="HolderTable"/>.</summary>
internal struct Holding
{
    public ulong Key;
    public long UsedAt;
    public int Newer;
    public int Older;
    public int NextHolder;
    public ushort Slot;
    public ushort Tokens;
}
