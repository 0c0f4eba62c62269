using System.Net.Http;
using System.Runtime.CompilerServices;
using Gateway.Replicas;
using Gateway.Requests;

namespace Gateway.Forwarding;

/// <summary>The upstream side of every pool, over one set of connections. Thread-safe.</summary>
/// <param name="handler">The connections.</param>
/// <param name="options">Limits in force.</param>
/// <param name="environment">Reads an environment variable.</param>
/// <param name="tokens">Who hears the gaps between tokens of an attempt, by request, model and replica; null: nobody does.</param>
/// <param name="retried">Hears each retry: model, reason.</param>
/// <param name="time">The clock.</param>
/// <param name="shutdown">Ends running attempts: the gateway waits no longer.</param>
public sealed class UpstreamPools(
    HttpMessageHandler handler, Func<ResilienceOptions> options, Func<string, string?> environment,
    Func<InferenceRequest, string, Replica, ITokenObserver>? tokens, Action<string, string> retried, TimeProvider time, CancellationToken shutdown = default) : IDisposable
{
    // A weak table: when a pool leaves the fleet, its entry goes with it.
    private readonly ConditionalWeakTable<Pool, UpstreamPool> _pools = [];

    /// <summary>The upstream side of a pool; made at its first request.</summary>
    public UpstreamPool Of(Pool pool) => _pools.GetValue(pool, Create);

    /// <summary>Hears what became of each broken stream: model, outcome.</summary>
    public Action<string, string> StreamBroken { get; init; } = static (_, _) => { };

    /// <summary>Hears what became of each hedge: model, outcome.</summary>
    public Action<string, string> Hedged { get; init; } = static (_, _) => { };

    /// <summary>Hears, once a minute at most, how many retries and continuations the budget refused: model, number.</summary>
    public Action<string, long> BudgetSpent { get; init; } = static (_, _) => { };

    public void Dispose() => handler.Dispose();

    private UpstreamPool Create(Pool pool) => new(pool, handler, options, environment, tokens, retried, time, shutdown)
    {
        OnStreamBroken = outcome => StreamBroken(pool.Name, outcome),
        OnHedged = outcome => Hedged(pool.Name, outcome),
        OnBudgetSpent = refused => BudgetSpent(pool.Name, refused),
    };
}
