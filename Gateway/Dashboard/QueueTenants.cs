using System.Collections.Concurrent;
using Gateway.Requests;

namespace Gateway.Dashboard;

/// <summary>Requests of one tenant and class that wait in front of a model.</summary>
public readonly record struct QueuedTenant(string Model, PriorityClass Priority, string Tenant);

/// <summary>How many requests of whom wait. Thread-safe; holds only who waits now.</summary>
public sealed class QueueTenants
{
    private readonly ConcurrentDictionary<QueuedTenant, int> _waiting = new();

    /// <summary>Everybody who waits.</summary>
    public IEnumerable<KeyValuePair<QueuedTenant, int>> Waiting => _waiting;

    /// <summary>Counts a request while it waits.</summary>
    public async ValueTask<T> CountAsync<T>(QueuedTenant queue, Task<T> turn)
    {
        _waiting.AddOrUpdate(queue, 1, static (_, count) => count + 1);
        try
        {
            return await turn;
        }
        finally
        {
            // Removed only if it is still 0: another request may have been counted in between.
            var left = _waiting.AddOrUpdate(queue, 0, static (_, count) => count - 1);
            if (left == 0)
            {
                _waiting.TryRemove(KeyValuePair.Create(queue, 0));
            }
        }
    }
}
