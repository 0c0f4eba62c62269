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
        ValueTask.FromResult(_accounts.GetOrAdd(tenant.Name, static (_, time) => new TenantAccount(time), time).Reserve(tenant.Limits, expected));

    /// <inheritdoc/>
    public void Settle(Tenant tenant, TokenAmount reserved, TokenAmount used)
    {
        if (_accounts.TryGetValue(tenant.Name, out var account))
        {
            account.Settle(reserved, used);
        }
    }
}
