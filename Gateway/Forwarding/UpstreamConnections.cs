using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Forwarding;

/// <summary>The pooled connections to all engines.</summary>
public static class UpstreamConnections
{
    // uvicorn, which most engines use, closes idle connections after 5 s: ours are closed before that, so that no request is sent into a closing one.
    private static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(4);

    // Long enough to amortise a handshake, short enough to follow a name that moved.
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(5);
    private const int MaxHeadersKilobytes = 32;

    // An engine that computes says nothing, and neither does one whose machine lost its power or whose connection a balancer forgot: only the
    // latter does not answer these. Shorter than the 60 s after which some balancers forget.
    private const int QuietSeconds = 15;
    private const int SecondsBetweenProbes = 5;
    private const int UnansweredProbes = 3;

    /// <summary>A handler that forwards as it is told: no redirects, cookies, decompression or proxies of its own.</summary>
    public static SocketsHttpHandler Create(ResilienceOptions resilience) => new()
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
        ActivityHeadersPropagator = null,
        ConnectTimeout = resilience.ConnectTimeout,
        ConnectCallback = static (context, cancellationToken) => ConnectAsync(context.DnsEndPoint, cancellationToken),
        PooledConnectionIdleTimeout = IdleTimeout,
        PooledConnectionLifetime = Lifetime,
        EnableMultipleHttp2Connections = true,
        MaxResponseHeadersLength = MaxHeadersKilobytes,
        // A cut answer closes its connection at once: reading on would keep the engine generating for nobody.
        MaxResponseDrainSize = 0,
        ResponseDrainTimeout = TimeSpan.Zero,
        // Kestrel reads headers as UTF-8, so they are sent as UTF-8: otherwise a header beyond ASCII would fail the request as if the replica were unreachable.
        RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8,
        Expect100ContinueTimeout = TimeSpan.FromMilliseconds(1),
    };

    /// <summary>Opens a connection that is found dead within half a minute although nothing is sent on it.</summary>
    /// <exception cref="SocketException">It cannot be reached.</exception>
    internal static async ValueTask<Stream> ConnectAsync(EndPoint engine, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, QuietSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, SecondsBetweenProbes);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, UnansweredProbes);
            await socket.ConnectAsync(engine, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
