using System.Net.Sockets;
using System.Text;

namespace Gateway.Tests.Fakes;

/// <summary>A client on a raw socket, for requests that no library would send.</summary>
internal static class RawClient
{
    /// <summary>Sends bytes and reads until the other side closes.</summary>
    public static async Task<string> ExchangeAsync(Uri address, byte[] request, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(address.Host, address.Port, cancellationToken);
        var stream = client.GetStream();
        await stream.WriteAsync(request, cancellationToken);
        using var answer = new MemoryStream();
        await stream.CopyToAsync(answer, cancellationToken);
        return Encoding.UTF8.GetString(answer.ToArray());
    }

    /// <summary>Asks for a target exactly as written.</summary>
    public static Task<string> GetAsync(Uri address, string method, string target, CancellationToken cancellationToken) =>
        ExchangeAsync(address, Encoding.ASCII.GetBytes($"{method} {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), cancellationToken);
}
