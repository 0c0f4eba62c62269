using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Keeps a pool at the replicas that are configured, resolved from names, listed in a file and seen in a cluster. Thread-safe.</summary>
/// <remarks>A name behind https stays one replica under its name, whatever it resolves to: certificates are issued for names.</remarks>
public sealed partial class PoolDiscovery
{
    private const int MaxNamed = 10;

    // Held while the pool is set, so that an older list never follows a newer one.
    private readonly Lock _publishing = new();
    private readonly Pool _pool;
    private readonly DiscoverySources _sources;
    private readonly TimeProvider _time;
    private readonly Random _chance;
    private readonly Action _changed;
    private readonly ILogger _log;
    private readonly ResolvedNames _names;
    private readonly ReplicaListFile _file;
    private IReadOnlyList<ReplicaOptions> _seen = [];
    private IReadOnlyList<ReplicaPlace> _places = [];
    private KubernetesWatch? _watch;
    private long? _refreshedAt;

    /// <param name="pool">Whose replicas are set.</param>
    /// <param name="sources">Where they are looked for.</param>
    /// <param name="time">The clock.</param>
    /// <param name="chance">Spreads questions over time.</param>
    /// <param name="changed">Told when a cluster's word has changed the pool.</param>
    /// <param name="log">Told of changes and troubles.</param>
    public PoolDiscovery(Pool pool, DiscoverySources sources, TimeProvider time, Random chance, Action changed, ILogger log)
    {
        (_pool, _sources, _time, _chance, _changed, _log) = (pool, sources, time, chance, changed, log);
        _names = new ResolvedNames(pool.Name, sources.Names, time, log);
        _file = new ReplicaListFile(pool.Name, sources.Lists, log);
    }

    /// <summary>Brings the pool to its settings and what is known so far.</summary>
    public void Publish()
    {
        lock (_publishing)
        {
            var discovery = _pool.Options.Discovery;
            _file.Look(discovery.File);
            _seen = discovery.Kubernetes is null ? [] : _seen;
            _names.Keep(NamesLocked());
            _places = PlacesLocked();
            _pool.SetReplicas(_places);
            _refreshedAt = null;
        }
    }

    /// <summary>Looks at the file and resolves every name once, when the model's interval has passed.</summary>
    /// <returns>Whether the pool's replicas changed.</returns>
    public async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        HashSet<Uri> names;
        lock (_publishing)
        {
            var discovery = _pool.Options.Discovery;
            if (_refreshedAt is { } refreshedAt && _time.GetElapsedTime(refreshedAt) < discovery.Interval)
            {
                return false;
            }
            _refreshedAt = _time.GetTimestamp();
            _file.Look(discovery.File);
            names = NamesLocked();
        }
        await Task.WhenAll(names.Select(name => _names.ResolveAsync(name, cancellationToken)));
        return TakePlaces();
    }

    /// <summary>Watches the cluster that the settings name, or none; one that other settings named is left.</summary>
    /// <param name="isRunning">Whether anything is to be watched at all.</param>
    /// <returns>The end of a watch that was left.</returns>
    public Task Follow(bool isRunning)
    {
        lock (_publishing)
        {
            var options = isRunning ? _pool.Options : null;
            if (_watch?.IsOf(options) ?? (options?.Discovery.Kubernetes is null))
            {
                return Task.CompletedTask;
            }
            var left = _watch;
            _watch = options?.Discovery.Kubernetes is { } wanted
                ? new KubernetesWatch(options, wanted, _sources.Environment, _time, new Random(_chance.Next()), Take, _log)
                : null;
            _watch?.Start();
            return left?.DisposeAsync().AsTask() ?? Task.CompletedTask;
        }
    }

    private void Take(KubernetesWatch from, IReadOnlyList<ReplicaOptions> replicas)
    {
        lock (_publishing)
        {
            if (!ReferenceEquals(from, _watch))
            {
                return;
            }
            _seen = replicas;
        }
        if (TakePlaces())
        {
            _changed();
        }
    }

    private bool TakePlaces()
    {
        lock (_publishing)
        {
            var places = PlacesLocked();
            if (places.Count == _places.Count && places.Zip(_places).All(pair => IsSame(pair.First, pair.Second)))
            {
                return false;
            }
            var (come, gone) = (Added(_places, places), Added(places, _places));
            Log.Changed(_log, _pool.Name, places.Count, come, gone);
            _places = places;
            _pool.SetReplicas(places);
            return true;
        }
    }

    // Labels are compared by what they say: a cluster tells them anew each time.
    private static bool IsSame(ReplicaPlace one, ReplicaPlace other) =>
        one with { Options = one.Options with { Labels = other.Options.Labels } } == other
        && one.Options.Labels.Count == other.Options.Labels.Count && !one.Options.Labels.Except(other.Options.Labels).Any();

    private static string Added(IReadOnlyList<ReplicaPlace> before, IReadOnlyList<ReplicaPlace> after)
    {
        var added = after.Select(place => place.Id).Except(before.Select(place => place.Id)).ToArray();
        var named = string.Join(", ", added.Take(MaxNamed));
        return added.Length switch { 0 => "none", <= MaxNamed => named, _ => $"{named} and {added.Length - MaxNamed} more" };
    }

    private ModelOptions ModelLocked()
    {
        var configured = _pool.Options;
        return _file.Replicas.Count + _seen.Count == 0 ? configured : configured with { Replicas = [.. configured.Replicas, .. _file.Replicas, .. _seen] };
    }

    private HashSet<Uri> NamesLocked() => [.. ModelLocked().Replicas.Where(ReplicaPlaces.IsResolved).Select(replica => replica.Dns!)];

    private IReadOnlyList<ReplicaPlace> PlacesLocked() => ReplicaPlaces.Of(ModelLocked(), _names.Of);

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "model {Model}: replicas now: {Count}; new: {New}; gone: {Gone}")]
        public static partial void Changed(ILogger log, string model, int count, string @new, string gone);
    }
}
