using Gateway.Forwarding;
using Gateway.Replicas.Engines.Discovery;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines;

/// <summary>Keeps every pool at its configured and discovered replicas, and every replica watched. Thread-safe, but for overlapping calls of <see cref="Apply"/>.</summary>
/// <param name="access">How engines are reached.</param>
/// <param name="sources">Where replicas are looked for.</param>
/// <param name="isMakingProgress">Whether answers of the gateway's own are growing at a replica now: such a one is busy, not dead.</param>
/// <param name="chance">Seeds each watcher's own.</param>
/// <param name="log">Told of changes.</param>
public sealed partial class FleetWatcher(EngineAccess access, DiscoverySources sources, Func<Replica, bool> isMakingProgress, Random chance, ILogger<FleetWatcher> log)
    : IAsyncDisposable
{
    /// <summary>How often each model's interval is looked at.</summary>
    private static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<Replica, ReplicaWatcher> _watchers = [];
    private readonly Dictionary<Pool, PoolDiscovery> _discoveries = [];
    private readonly HashSet<Task> _ending = [];
    private ResilienceOptions _options = new();
    private CancellationTokenSource? _running;
    private Task _discovering = Task.CompletedTask;

    /// <summary>Brings the fleet to these pools, whose options are already the new ones: sets their replicas, and starts and stops watching. A pool that is missing is no longer watched.</summary>
    public void Apply(IReadOnlyList<Pool> pools, ResilienceOptions options)
    {
        PoolDiscovery[] discoveries;
        CancellationToken? stopping;
        lock (_gate)
        {
            _options = options;
            foreach (var gone in _discoveries.Keys.Except(pools).ToArray())
            {
                _ending.Add(_discoveries[gone].Follow(isRunning: false));
                _discoveries.Remove(gone);
            }
            foreach (var pool in pools)
            {
                _discoveries.TryAdd(pool, new PoolDiscovery(pool, sources, access.Time, new Random(chance.Next()), Watch, log));
            }
            discoveries = [.. _discoveries.Values];
            stopping = _running?.Token;
        }
        // Outside the lock: a changed pool wakes waiting requests.
        foreach (var discovery in discoveries)
        {
            discovery.Publish();
        }
        Follow();
        Watch();
        if (stopping is { } token)
        {
            _ = RefreshAsync(discoveries, token);
        }
    }

    /// <summary>Starts watching. Returns at once: replicas come up as they answer.</summary>
    public void Start()
    {
        lock (_gate)
        {
            if (_running is not null)
            {
                return;
            }
            _running = new CancellationTokenSource();
            var stopping = _running.Token;
            _discovering = Task.Run(() => DiscoverAsync(stopping), CancellationToken.None);
        }
        Follow();
        Watch();
    }

    /// <summary>Stops watching, and waits until the last question to an engine is given up.</summary>
    public async Task StopAsync()
    {
        CancellationTokenSource? running;
        lock (_gate)
        {
            running = _running;
            _running = null;
        }
        if (running is null)
        {
            return;
        }
        await running.CancelAsync();
        Follow();
        Watch();
        Task[] ending;
        lock (_gate)
        {
            ending = [_discovering, .. _ending];
        }
        await Task.WhenAll(ending);
        running.Dispose();
    }

    public async ValueTask DisposeAsync() => await StopAsync();

    /// <summary>Follows the clusters that the settings name; none when not running.</summary>
    private void Follow()
    {
        lock (_gate)
        {
            foreach (var discovery in _discoveries.Values)
            {
                _ending.Add(discovery.Follow(_running is not null));
            }
        }
    }

    /// <summary>Watches exactly the replicas that are in service; none when not running.</summary>
    private void Watch()
    {
        lock (_gate)
        {
            var leaving = _watchers.Keys.ToHashSet();
            foreach (var pool in _running is null ? [] : _discoveries.Keys.ToArray())
            {
                foreach (var replica in pool.ReplicaList)
                {
                    leaving.Remove(replica);
                    if (_watchers.TryGetValue(replica, out var watcher))
                    {
                        watcher.Reconfigure(pool.Options, _options);
                        continue;
                    }
                    _watchers[replica] = watcher = new ReplicaWatcher(replica, pool.Options, _options, access, isMakingProgress, new Random(chance.Next()), log);
                    watcher.Start();
                }
            }
            _ending.RemoveWhere(task => task.IsCompleted);
            foreach (var replica in leaving)
            {
                if (_watchers.Remove(replica, out var watcher))
                {
                    _ending.Add(watcher.DisposeAsync().AsTask());
                }
            }
        }
    }

    private async Task DiscoverAsync(CancellationToken stopping)
    {
        while (!stopping.IsCancellationRequested)
        {
            PoolDiscovery[] discoveries;
            lock (_gate)
            {
                discoveries = [.. _discoveries.Values];
            }
            await RefreshAsync(discoveries, stopping);
            await Task.Delay(Look, access.Time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task RefreshAsync(PoolDiscovery[] discoveries, CancellationToken stopping)
    {
        try
        {
            var changes = await Task.WhenAll(discoveries.Select(discovery => discovery.RefreshAsync(stopping)));
            if (changes.Contains(true))
            {
                Watch();
            }
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
        }
        // A surprise in one round must not end discovery: the next round tries again.
        catch (Exception problem)
        {
            Log.DiscoveryFailed(log, problem);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Error, Message = "discovering replicas failed unexpectedly, it is tried again")]
        public static partial void DiscoveryFailed(ILogger log, Exception problem);
    }
}
