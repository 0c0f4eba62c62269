using System.Collections.Concurrent;
using Gateway.Access;
using Gateway.Access.Limits;

namespace Gateway.Coordination;

/// <summary>The accounts of several gateways: each keeps its own, posts what it takes before it decides, and counts what the others posted. Thread-safe.</summary>
/// <param name="own">This gateway's accounts.</param>
/// <param name="gateway">This gateway, as the others name it.</param>
/// <param name="shared">Its access to the others'.</param>
/// <param name="options">How long a request may wait for a check, and how long a place counts that is not heard of.</param>
/// <param name="time">The clock.</param>
public sealed class SharedLimitLedger(LimitLedger own, string gateway, ISharedState shared, RedisOptions options, TimeProvider time) : ILimitLedger
{
    // Longer than the day of UTC that daily budgets count by.
    private static readonly TimeSpan EntryLife = TimeSpan.FromHours(25);

    // Most checks without an answer at a time: a Redis that hangs must not hold more requests than these. Further ones are decided by this gateway alone.
    private const int MostAsking = 256;

    private readonly ConcurrentDictionary<string, Tenant> _changed = new(StringComparer.Ordinal);
    // Tenants are spread over several locks, so that they seldom wait for each other.
    private readonly Lock[] _sending = [.. Enumerable.Range(0, 16).Select(_ => new Lock())];
    private int _asking;
    private long _failures;
    private volatile bool _isDeaf;

    /// <summary>Checks that were not answered in time.</summary>
    public long Failures => Interlocked.Read(ref _failures);

    /// <inheritdoc/>
    public async ValueTask<LimitVerdict> ReserveAsync(Tenant tenant, TokenAmount expected)
    {
        var verdict = await own.ReserveAsync(tenant, expected);
        if (!tenant.Limits.Any)
        {
            return verdict;
        }
        _changed[tenant.Name] = tenant;
        // Redis is not asked for a request that is refused here already: a flood of such requests must not reach it. What is freed elsewhere is heard at the next exchange.
        if (verdict.Met != LimitKind.None || _isDeaf)
        {
            return verdict;
        }
        try
        {
            if (Interlocked.Increment(ref _asking) <= MostAsking)
            {
                using var deadline = new CancellationTokenSource(options.LimitDeadline, time);
                verdict = own.ReserveAgain(tenant, expected, await PostAsync(tenant, deadline.Token));
            }
            return verdict;
        }
        catch (Exception)
        {
            // Whatever Redis or the network threw, a request is waiting: this gateway's own view decides.
            Interlocked.Increment(ref _failures);
            return verdict;
        }
        finally
        {
            Interlocked.Decrement(ref _asking);
        }
    }

    /// <inheritdoc/>
    public void Settle(Tenant tenant, TokenAmount reserved, TokenAmount used)
    {
        own.Settle(tenant, reserved, used);
        if (tenant.Limits.Any)
        {
            _changed[tenant.Name] = tenant;
        }
    }

    /// <summary>Posts what changed since the last exchange, and of whom anybody still holds a place, and counts what the others posted.</summary>
    /// <returns>Whether there was anything to post, so that the others were heard of.</returns>
    public async Task<bool> ExchangeAsync(CancellationToken cancellationToken)
    {
        var tenants = _changed.ToArray();
        foreach (var chunk in tenants.Chunk(MostAsking))
        {
            await Task.WhenAll(chunk.Select(tenant => ExchangeAsync(tenant.Value, cancellationToken)));
        }
        _isDeaf = false;
        return tenants.Length > 0;
    }

    /// <summary>Forgets the places that others hold: they have not been heard of for a lease. Nobody is asked until an exchange came to its end.</summary>
    public void Forget()
    {
        _isDeaf = true;
        own.ForgetPeers();
    }

    private async Task ExchangeAsync(Tenant tenant, CancellationToken cancellationToken)
    {
        // Removed before it is read: a change in between is posted with the next exchange.
        _changed.TryRemove(tenant.Name, out _);
        try
        {
            own.CountPeers(tenant, await PostAsync(tenant, cancellationToken));
        }
        catch
        {
            PutBack(tenant);
            throw;
        }
        // As long as the others are believed to hold something, too: nobody else would tell that they gave it back.
        if (own.Find(tenant.Name) is { IsInUse: true })
        {
            PutBack(tenant);
        }
    }

    private void PutBack(Tenant tenant) => _changed.TryAdd(tenant.Name, tenant);

    private async ValueTask<PeerReport> PostAsync(Tenant tenant, CancellationToken cancellationToken)
    {
        var (asked, answer) = Ask(tenant, cancellationToken);
        var entries = await answer;
        return new PeerReport(gateway, asked, [.. entries.Select(entry => PeerUse.Read(entry.Gateway, entry.Age, entry.Age <= options.Lease, entry.Content)).OfType<PeerUse>()]);
    }

    // Sent in the order in which it was read: an older entry never takes a newer one's place.
    private (long Asked, Task<IReadOnlyList<BoardEntry>> Answer) Ask(Tenant tenant, CancellationToken cancellationToken)
    {
        lock (_sending[tenant.Key % (ulong)_sending.Length])
        {
            var use = own.UseOf(tenant);
            var board = "limits:" + tenant.KeyText;
            return (use.Sequence, shared.PostAsync(board, use.Write(), EntryLife, cancellationToken).AsTask());
        }
    }
}
