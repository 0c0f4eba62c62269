using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Gateway.Tests.Fakes;

/// <summary>An engine on a raw socket: looks like vLLM to the probes, and answers data routes with exactly the bytes that a test writes, when it writes them. One request per connection.</summary>
internal sealed class ScriptedEngine : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentQueue<ScriptedCall> _calls = new();
    private readonly ConcurrentDictionary<Task, byte> _connections = new();
    private readonly string _modelList;
    private readonly Task _accepting;
    private int _isClosed;

    /// <param name="script">Answers a data request; the connection is closed after it.</param>
    /// <param name="models">The served names.</param>
    /// <param name="contextTokens">The context that it reports.</param>
    public ScriptedEngine(Func<ScriptedCall, Task> script, IReadOnlyList<string>? models = null, int contextTokens = 8192)
    {
        Script = script;
        var entries = (models ?? ["demo"]).Select(model =>
            $$"""{"id":"{{model}}","object":"model","created":1,"owned_by":"vllm","max_model_len":{{contextTokens}}}""");
        _modelList = $$"""{"object":"list","data":[{{string.Join(',', entries)}}]}""";
        _listener.Start();
        Uri = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    /// <summary>One that answers every data request, but not before it is released.</summary>
    public static ScriptedEngine HeldUntil(Task release) => new(async call =>
    {
        await release;
        await call.JsonAsync("""{"id":"c"}""");
    });

    public Uri Uri { get; }

    /// <summary>Answers the data requests that come from now on.</summary>
    public Func<ScriptedCall, Task> Script { get; set; }

    /// <summary>Data requests so far, oldest first.</summary>
    public IReadOnlyList<ScriptedCall> Calls => [.. _calls];

    /// <summary>Stops listening: from now on connections are refused.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0)
        {
            _listener.Stop();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        Close();
        await _accepting;
        await Task.WhenAll(_connections.Keys);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var connection = ServeAsync(await _listener.AcceptSocketAsync(_stop.Token));
                _connections.TryAdd(connection, 0);
                _ = connection.ContinueWith(done => _connections.TryRemove(done, out _), TaskScheduler.Default);
            }
            catch (Exception closed) when (closed is OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var call = new ScriptedCall(socket, _stop.Token);
        try
        {
            if (!await call.ReadHeadAsync())
            {
                return;
            }
            switch (call.Target)
            {
                case "/health" or "/ping":
                    await call.JsonAsync("{}");
                    break;
                case "/v1/models":
                    await call.JsonAsync(_modelList);
                    break;
                case "/version":
                    await call.JsonAsync("""{"version":"0.10.0"}""");
                    break;
                case "/metrics":
                    await call.JsonAsync("{}", 404);
                    break;
                default:
                    _calls.Enqueue(call);
                    await Script(call);
                    break;
            }
        }
        catch (Exception gone) when (gone is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The gateway left, or the test is over.
        }
    }
}
