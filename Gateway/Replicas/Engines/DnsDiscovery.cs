using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;

namespace Gateway.Replicas.Engines;

/// <summary>Keeps a pool at the addresses that its <c>dns</c> entries resolve to; urls of the same pool stay beside them. Thread-safe.</summary>
/// <remarks>A name behind https stays one replica under its name, whatever it resolves to: certificates are issued for names.</remarks>
public sealed partial class DnsDiscovery(Pool pool, INameResolver names, TimeProvider time, ILogger log)
{
    /// <summary>Time between two resolutions: the operating system tells no time to live.</summary>
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Empty answers in a row that are believed; fewer are taken for a hiccup of the name server.</summary>
    public const int EmptyAnswersToBelieve = 3;

    private const int MaxAddresses = 1_024;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    // Held while the pool is set, so that an older list never follows a newer one.
    private readonly Lock _publishing = new();
    private readonly Dictionary<Uri, Known> _known = [];
    private IReadOnlyList<ReplicaPlace> _places = [];

    private sealed class Known
    {
        public IReadOnlyList<IPAddress> Addresses { get; set; } = [];

        public int EmptyAnswers { get; set; }

        public bool IsFailing { get; set; }
    }

    /// <summary>Whether the pool has names to resolve.</summary>
    public bool HasNames => pool.Options.Replicas.Any(ReplicaPlaces.IsResolved);

    /// <summary>Brings the pool to its settings and the addresses known so far.</summary>
    public void Publish()
    {
        lock (_publishing)
        {
            var configured = Names();
            foreach (var gone in _known.Keys.Where(name => !configured.Contains(name)).ToArray())
            {
                _known.Remove(gone);
            }
            _places = PlacesLocked();
            pool.SetReplicas(_places);
        }
    }

    /// <summary>Resolves every name once.</summary>
    /// <returns>Whether the pool's replicas changed.</returns>
    public async Task<bool> RefreshAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(Names().Select(name => ResolveAsync(name, cancellationToken)));
        lock (_publishing)
        {
            var places = PlacesLocked();
            if (places.SequenceEqual(_places))
            {
                return false;
            }
            _places = places;
            pool.SetReplicas(places);
            Log.Changed(log, pool.Name, places.Count);
            return true;
        }
    }

    private HashSet<Uri> Names() => [.. pool.Options.Replicas.Where(ReplicaPlaces.IsResolved).Select(replica => replica.Dns!)];

    private IReadOnlyList<ReplicaPlace> PlacesLocked() =>
        ReplicaPlaces.Of(pool.Options, name => _known.TryGetValue(name, out var known) ? known.Addresses : []);

    private async Task ResolveAsync(Uri name, CancellationToken cancellationToken)
    {
        try
        {
            using var expiry = new CancellationTokenSource(Timeout, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(expiry.Token, cancellationToken);
            Take(name, await names.ResolveAsync(name.IdnHost, either.Token));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            Complain(name, "no answer in time");
        }
        catch (SocketException problem)
        {
            Complain(name, problem.Message);
        }
    }

    private void Take(Uri name, IReadOnlyList<IPAddress> answer)
    {
        lock (_publishing)
        {
            var known = KnownLocked(name);
            known.IsFailing = false;
            known.EmptyAnswers = answer.Count == 0 ? known.EmptyAnswers + 1 : 0;
            if (answer.Count > 0 || known.EmptyAnswers >= EmptyAnswersToBelieve)
            {
                // Name servers rotate their answers: an order of our own keeps equal lists equal.
                known.Addresses = [.. answer
                    .Select(address => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address)
                    .Distinct()
                    .OrderBy(address => address.AddressFamily)
                    .ThenBy(address => Convert.ToHexString(address.GetAddressBytes()), StringComparer.Ordinal)
                    .Take(MaxAddresses)];
            }
        }
    }

    private void Complain(Uri name, string problem)
    {
        lock (_publishing)
        {
            var known = KnownLocked(name);
            if (!known.IsFailing)
            {
                known.IsFailing = true;
                Log.Unresolved(log, pool.Name, name.Host, known.Addresses.Count, problem);
            }
        }
    }

    private Known KnownLocked(Uri name)
    {
        if (!_known.TryGetValue(name, out var known))
        {
            _known[name] = known = new Known();
        }
        return known;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "model {Model} now has {Count} replicas")]
        public static partial void Changed(ILogger log, string model, int count);

        [LoggerMessage(Level = LogLevel.Warning, Message = "model {Model}: {Name} cannot be resolved, its last {Count} addresses stay: {Problem}")]
        public static partial void Unresolved(ILogger log, string model, string name, int count, string problem);
    }
}
