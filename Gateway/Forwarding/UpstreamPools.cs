using System.Net.Http;
using System.Runtime.CompilerServices;
using Gateway.Replicas;

namespace Gateway.Forwarding;

/// <summary>The upstream side of every pool, over one set of connections. Thread-safe.</summary>
/// <param name="handler">The connections.</param>
/// <param name="options">Limits in force.</param>
/// <param name="environment">Reads an environment variable.</param>
/// <param name="events">Who hears what happens.</param>
/// <param name="time">The clock.</param>
/// <param name="shutdown">Ends running attempts: the gateway waits no longer.</param>
public sealed class UpstreamPools(
    HttpMessageHandler handler, Func<ResilienceOptions> options, Func<string, string?> environment, UpstreamEvents events, TimeProvider time,
    CancellationToken shutdown = default) : IDisposable
{
    // A weak table: when a pool leaves the fleet, its entry goes with it.
    private readonly ConditionalWeakTable<Pool, UpstreamPool> _pools = [];

    /// <summary>The upstream side of a pool; made at its first request.</summary>
    public UpstreamPool Of(Pool pool) => _pools.GetValue(pool, pool => new UpstreamPool(pool, handler, options, environment, events, time, shutdown));

    public void Dispose() => handler.Dispose();
}
