using System.Net;
using System.Net.Sockets;
using Gateway.Replicas;
using Gateway.Replicas.Engines;

namespace Gateway.Tests.Replicas.Engines;

public sealed class EngineAccessTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task ClientOf_OverARealConnection_ReadsAChunkedAnswerAndReusesTheConnection()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeTwiceAsync(listener);
        var access = new EngineAccess(EngineAccess.CreateHttp(Limit), _ => "k", TimeProvider.System);
        var client = access.ClientOf(new Uri($"http://{listener.LocalEndpoint}"), new ModelOptions { Name = "m" }, Limit);

        using var first = await client.GetAsync("/metrics", CancellationToken.None);
        using var second = await client.GetAsync("/metrics", CancellationToken.None);
        var requests = await serving.WaitAsync(Limit);

        Assert.Equal("up 1\nup 2\n"u8.ToArray(), first.Body.ToArray());
        Assert.True(second.IsSuccess);
        Assert.All(requests, request => Assert.Contains("Authorization: Bearer k", request, StringComparison.Ordinal));
        access.Http.Dispose();
    }

    [Fact]
    public async Task ClientOf_WhenNobodyListens_SaysSoWithoutThrowing()
    {
        using var http = EngineAccess.CreateHttp(Limit);
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var address = new Uri($"http://{closed.LocalEndpoint}");
        closed.Stop();

        using var answer = await new EngineClient(http, address, null, Limit, TimeProvider.System).GetAsync("/health", CancellationToken.None);

        Assert.Equal((0, false), (answer.Status, answer.IsSlow));
        Assert.Contains("ConnectionError", answer.Failure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ClientOf_WhenTheAnswerBreaksOff_SaysSoWithoutThrowing()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var http = EngineAccess.CreateHttp(Limit);
        var asking = new EngineClient(http, new Uri($"http://{listener.LocalEndpoint}"), null, Limit, TimeProvider.System).GetAsync("/health", CancellationToken.None);
        using (var connection = await listener.AcceptTcpClientAsync())
        {
            await ReadRequestAsync(connection.GetStream());
            await connection.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"u8.ToArray());
        }

        using var answer = await asking.WaitAsync(Limit);

        Assert.NotNull(answer.Failure);
        Assert.False(answer.IsSuccess);
    }

    private static async Task<string[]> ServeTwiceAsync(TcpListener listener)
    {
        using var connection = await listener.AcceptTcpClientAsync();
        var stream = connection.GetStream();
        var requests = new string[2];
        for (var i = 0; i < 2; i++)
        {
            requests[i] = await ReadRequestAsync(stream);
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nup 1\n\r\n5\r\nup 2\n\r\n0\r\n\r\n"u8.ToArray());
        }
        return requests;
    }

    private static async Task<string> ReadRequestAsync(NetworkStream stream)
    {
        var text = "";
        var buffer = new byte[1024];
        while (!text.EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            var read = await stream.ReadAsync(buffer);
            text += System.Text.Encoding.ASCII.GetString(buffer, 0, read);
            if (read == 0)
            {
                break;
            }
        }
        return text;
    }
}
