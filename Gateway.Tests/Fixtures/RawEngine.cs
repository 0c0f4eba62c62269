using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Tests.Fixtures;

/// <summary>A model server made of sockets, for what a real one does not do on demand: one chunk a second for very many streams, or more bytes than anybody reads.</summary>
internal sealed class RawEngine : IAsyncDisposable
{
    private static readonly byte[] StreamHead = Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n");

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Func<NetworkStream, CancellationToken, Task> _answer;
    private readonly Task _accepting;
    private int _open;

    private RawEngine(Func<NetworkStream, CancellationToken, Task> answer)
    {
        _answer = answer;
        _listener.Start(4_096);
        Uri = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Uri { get; }

    /// <summary>Streams being answered.</summary>
    public int Open => Volatile.Read(ref _open);

    /// <summary>Starts one.</summary>
    /// <param name="answer">Writes the frames of a stream; the head is written, and the connection is closed behind it.</param>
    public static RawEngine Start(Func<NetworkStream, CancellationToken, Task> answer) => new(answer);

    /// <summary>A frame of a chat stream with this text.</summary>
    public static byte[] Frame(string text) => Encoding.UTF8.GetBytes(
        $$"""data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"{{GatewayWorld.Model}}","choices":[{"index":0,"delta":{"content":"{{text}}"},"finish_reason":null}]}""" + "\n\n");

    /// <summary>The last frames of a chat stream.</summary>
    public static byte[] LastFrames() => Encoding.UTF8.GetBytes(
        $$"""data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"{{GatewayWorld.Model}}","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}""" + "\n\ndata: [DONE]\n\n");

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token));
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                var head = await ReadHeadAsync(stream);
                if (head.StartsWith("POST", StringComparison.Ordinal))
                {
                    Interlocked.Increment(ref _open);
                    try
                    {
                        await stream.WriteAsync(StreamHead, _stop.Token);
                        await _answer(stream, _stop.Token);
                    }
                    finally
                    {
                        Interlocked.Decrement(ref _open);
                    }
                    return;
                }
                await stream.WriteAsync(Encoding.ASCII.GetBytes(Plain(head.StartsWith("GET /v1/models ", StringComparison.Ordinal))), _stop.Token);
            }
            catch (Exception ended) when (ended is OperationCanceledException or IOException)
            {
                // The gateway has left, or the test is over.
            }
        }
    }

    private static string Plain(bool isModels)
    {
        var body = isModels ? $$"""{"object":"list","data":[{"id":"{{GatewayWorld.Model}}","object":"model"}]}""" : "";
        return $"HTTP/1.1 {(isModels ? "200 OK" : "404 Not Found")}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}";
    }

    private async Task<string> ReadHeadAsync(NetworkStream stream)
    {
        var buffer = new byte[8_192];
        var length = 0;
        while (true)
        {
            var read = await stream.ReadAsync(buffer.AsMemory(length), _stop.Token);
            length += read;
            var text = Encoding.ASCII.GetString(buffer, 0, length);
            if (read == 0 || text.Contains("\r\n\r\n", StringComparison.Ordinal) || length == buffer.Length)
            {
                return text;
            }
        }
    }
}
