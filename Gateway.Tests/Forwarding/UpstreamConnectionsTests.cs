using System.Net;
using System.Net.Sockets;
using Gateway.Forwarding;
using Gateway.Tests.Fixtures;

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
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Socket? opened = null;
        var connect = handler.ConnectCallback!;
        handler.ConnectCallback = async (context, cancellationToken) =>
        {
            var stream = await connect(context, cancellationToken);
            opened = ((NetworkStream)stream).Socket;
            return stream;
        };
        using var client = new HttpMessageInvoker(handler, disposeHandler: false);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{listener.LocalEndpoint}/");
        using var stop = new CancellationTokenSource();

        var answer = client.SendAsync(request, stop.Token);
        using var accepted = await listener.AcceptSocketAsync();
        await Until.HoldsAsync(() => opened is not null, "it is connected");

        Assert.NotEqual(0, (int)opened!.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive)!);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
    }
}
