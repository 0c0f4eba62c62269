using System.Collections.Concurrent;
using System.Globalization;
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
    // Budgets are by the day of UTC.
    private static readonly TimeSpan EntryLife = TimeSpan.FromHours(25);

    // What a Redis that hangs may leave unanswered; beyond it nobody asks.
    private const int MostAsking = 256;

    private readonly ConcurrentDictionary<string, Tenant> _changed = new(StringComparer.Ordinal);
    private readonly Lock _sending = new();
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
        // Who is refused is not asked for anew: a flood stays here, and the next exchange tells what has been freed elsewhere.
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
            // The edge of another process, and a request waits: this gateway's own view decides.
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

    /// <summary>Posts what changed since the last exchange, and what still holds a place, and counts what the others posted.</summary>
    public async Task ExchangeAsync(CancellationToken cancellationToken)
    {
        var tenants = _changed.ToArray();
        foreach (var chunk in tenants.Chunk(MostAsking))
        {
            await Task.WhenAll(chunk.Select(tenant => ExchangeAsync(tenant.Value, cancellationToken)));
        }
        _isDeaf = false;
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
            _changed[tenant.Name] = tenant;
            throw;
        }
        if (own.Find(tenant.Name) is { Running: > 0 })
        {
            _changed[tenant.Name] = tenant;
        }
    }

    private async ValueTask<PeerReport> PostAsync(Tenant tenant, CancellationToken cancellationToken)
    {
        var (asked, answer) = Ask(tenant, cancellationToken);
        var entries = await answer;
        return new PeerReport(gateway, asked, [.. entries.Select(entry => PeerUse.Read(entry.Gateway, entry.Age, entry.Age <= options.Lease, entry.Content)).OfType<PeerUse>()]);
    }

    // Sent in the order in which it was read: an older entry never takes a newer one's place.
    private (long Asked, Task<IReadOnlyList<BoardEntry>> Answer) Ask(Tenant tenant, CancellationToken cancellationToken)
    {
        lock (_sending)
        {
            var use = own.UseOf(tenant);
            var board = "limits:" + tenant.Key.ToString("x16", CultureInfo.InvariantCulture);
            return (use.Sequence, shared.PostAsync(board, use.Write(), EntryLife, cancellationToken).AsTask());
        }
    }
}
