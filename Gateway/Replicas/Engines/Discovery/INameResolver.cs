using System.Net;
using System.Net.Sockets;

namespace Gateway.Replicas.Engines.Discovery;

/// <summary>Resolves names to addresses.</summary>
public interface INameResolver
{
    /// <summary>All addresses of the name; empty: the name exists without any, or does not exist.</summary>
    /// <exception cref="SocketException">The question could not be answered.</exception>
    Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellationToken);
}

/// <summary>The operating system's resolver, which tells no time to live.</summary>
public sealed class SystemNameResolver : INameResolver
{
    public async Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await Dns.GetHostAddressesAsync(name, cancellationToken);
        }
        catch (SocketException problem) when (problem.SocketErrorCode is SocketError.HostNotFound or SocketError.NoData)
        {
            return [];
        }
        catch (ArgumentException)
        {
            // A name that cannot exist: longer than any is, or the address of none.
            return [];
        }
    }
}
