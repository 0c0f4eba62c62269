namespace Gateway.Queueing;

/// <summary>What each client usually asks for, at most of ten thousand, those that came within the hour first. Guarded by the lock of its <see cref="RoomShares"/>.</summary>
internal sealed class UsualDemands
{
    // Beyond, newcomers have no usual: some hundred bytes each.
    private const int MostClients = 10_000;

    private readonly Dictionary<ulong, UsualDemand> _clients = [];
    private long _swept;

    /// <summary>Clients that are kept.</summary>
    public int Count => _clients.Count;

    /// <summary>That of a client; null: there are too many.</summary>
    /// <param name="client">Its key.</param>
    /// <param name="half">Number of the half of a minute that it is.</param>
    public UsualDemand? Of(ulong client, long half)
    {
        if (_clients.TryGetValue(client, out var usual))
        {
            return usual;
        }
        if (_clients.Count >= MostClients && half > _swept)
        {
            Forget(half);
        }
        return _clients.Count < MostClients ? _clients[client] = new UsualDemand(half) : null;
    }

    // Only when there are too many, and once in half a minute, so that a decision seldom pays for it.
    private void Forget(long half)
    {
        _swept = half;
        foreach (var (client, usual) in _clients)
        {
            if (usual.IsForgotten(half))
            {
                _clients.Remove(client);
            }
        }
    }
}
