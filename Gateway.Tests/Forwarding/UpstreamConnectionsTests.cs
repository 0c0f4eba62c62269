using System.Net;
using System.Net.Sockets;
using Gateway.Forwarding;

namespace Gateway.Tests.Forwarding;

/// <summary>What the connections to engines bring with them.</summary>
public sealed class UpstreamConnectionsTests
{
    // A plain answer is one long silence: without these a machine that lost its power, and came back, is waited for to the total limit.
    [Fact]
    public async Task Connect_ToAnEngine_AsksAQuietConnectionWhetherItStillIsOne()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();

        using var connection = (NetworkStream)await UpstreamConnections.ConnectAsync(listener.LocalEndpoint, CancellationToken.None);

        Assert.NotEqual(0, Option(SocketOptionLevel.Socket, SocketOptionName.KeepAlive));
        var quiet = Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime);
        var unanswered = Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval) * Option(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount);
        Assert.InRange(quiet + unanswered, 10, 30);
        Assert.True(connection.Socket.NoDelay);

        int Option(SocketOptionLevel level, SocketOptionName name) => (int)connection.Socket.GetSocketOption(level, name)!;
    }

    [Fact]
    public async Task Create_OfAHandler_ConnectsThatWay()
    {
        using var handler = UpstreamConnections.Create(new ResilienceOptions());
        using var client = new HttpClient(handler);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        listener.Stop();

        var refused = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetAsync(new Uri($"http://127.0.0.1:{port}/")));

        Assert.NotNull(handler.ConnectCallback);
        Assert.Equal(HttpRequestError.ConnectionError, refused.HttpRequestError);
    }
}
