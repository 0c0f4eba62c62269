using System.Net;
using System.Net.Sockets;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Turns the configured replicas of a model into places, one per engine.</summary>
public static class ReplicaPlaces
{
    /// <summary>The places that need no resolving: urls, and names behind https, which certificates are issued for.</summary>
    public static IReadOnlyList<ReplicaPlace> Of(ModelOptions model) => Of(model, _ => []);

    /// <summary>All places, in the order of the configuration; the first of two with the same id counts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="addressesOf">The addresses now behind a <see cref="ReplicaOptions.Dns"/> name.</param>
    public static IReadOnlyList<ReplicaPlace> Of(ModelOptions model, Func<Uri, IReadOnlyList<IPAddress>> addressesOf)
    {
        var places = new List<ReplicaPlace>();
        var ids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var place in model.Replicas.SelectMany(replica => Of(replica, addressesOf)))
        {
            if (ids.Add(place.Id))
            {
                places.Add(place);
            }
        }
        return places;
    }

    /// <summary>Whether the name is resolved here. One behind https is left whole: its certificate and SNI need the name.</summary>
    public static bool IsResolved(ReplicaOptions replica) => replica is { Url: null, Dns.Scheme: "http" };

    private static IEnumerable<ReplicaPlace> Of(ReplicaOptions replica, Func<Uri, IReadOnlyList<IPAddress>> addressesOf)
    {
        if ((replica.Url ?? replica.Dns) is not { } address)
        {
            return [];
        }
        return IsResolved(replica)
            ? addressesOf(address).Select(ip => Of(replica, address, ip))
            : [new ReplicaPlace(replica.Id, address, replica)];
    }

    private static ReplicaPlace Of(ReplicaOptions replica, Uri address, IPAddress ip)
    {
        var host = ip.AddressFamily == AddressFamily.InterNetworkV6 ? $"[{ip}]" : ip.ToString();
        var endpoint = $"{host}:{address.Port}";
        var isNamed = replica.Id != $"{address.Host}:{address.Port}";
        return new ReplicaPlace(
            isNamed ? $"{replica.Id}-{endpoint}" : endpoint,
            new Uri($"{address.Scheme}://{endpoint}{address.AbsolutePath}"),
            replica);
    }
}
