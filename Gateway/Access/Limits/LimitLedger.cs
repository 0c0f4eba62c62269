using System.Collections.Concurrent;

namespace Gateway.Access.Limits;

/// <summary>The accounts of one gateway, in memory: one for each tenant that was ever configured and asked. Thread-safe.</summary>
public sealed class LimitLedger(TimeProvider time) : ILimitLedger
{
    private readonly ConcurrentDictionary<string, TenantAccount> _accounts = new(StringComparer.Ordinal);

    /// <summary>A tenant's account; null: it has not asked for anything yet.</summary>
    public TenantAccount? Find(string tenant) => _accounts.GetValueOrDefault(tenant);

    /// <inheritdoc/>
    public ValueTask<LimitVerdict> ReserveAsync(Tenant tenant, TokenAmount expected) =>
        ValueTask.FromResult(AccountOf(tenant).Reserve(tenant.Limits, expected));

    /// <inheritdoc/>
    public void Settle(Tenant tenant, TokenAmount reserved, TokenAmount used)
    {
        if (_accounts.TryGetValue(tenant.Name, out var account))
        {
            account.Settle(reserved, used);
        }
    }

    /// <summary>Decides once more about a request that was let in a moment ago, now that others' use is known.</summary>
    public LimitVerdict ReserveAgain(Tenant tenant, TokenAmount expected, in PeerReport report) => AccountOf(tenant).ReserveAgain(tenant.Limits, expected, report);

    /// <summary>Counts what other gateways have taken.</summary>
    public void CountPeers(Tenant tenant, in PeerReport report) => AccountOf(tenant).CountPeers(report);

    /// <summary>What this gateway has taken, to be said to the others now.</summary>
    public LimitUse UseOf(Tenant tenant) => AccountOf(tenant).Use();

    /// <summary>Forgets what others hold now: they are not heard of any more.</summary>
    public void ForgetPeers()
    {
        foreach (var account in _accounts.Values)
        {
            account.ForgetPeers();
        }
    }

    private TenantAccount AccountOf(Tenant tenant) => _accounts.GetOrAdd(tenant.Name, static (_, time) => new TenantAccount(time), time);
}
