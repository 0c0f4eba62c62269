using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Gateway.Tests.Fixtures;

/// <summary>Passes connections on to a port of this machine. Those that are open can be made silent: nothing comes through any more, and nothing says so, as when a machine has lost its power.</summary>
internal sealed class SilentRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly int _target;
    private readonly Task _accepting;
    private int _generation;

    /// <param name="target">The port that is passed on to.</param>
    public SilentRelay(int target)
    {
        _target = target;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Endpoint => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Makes the connections silent that are open now; new ones work.</summary>
    public void Silence() => Interlocked.Increment(ref _generation);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _listener.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var passing = new List<Task>();
        try
        {
            while (true)
            {
                var asking = await _listener.AcceptTcpClientAsync(_end.Token);
                passing.Add(PassOnAsync(asking, Volatile.Read(ref _generation)));
            }
        }
        finally
        {
            await Task.WhenAll(passing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task PassOnAsync(TcpClient asking, int generation)
    {
        using (asking)
        {
            using var answering = new TcpClient();
            await answering.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
            await Task.WhenAll(CopyAsync(asking.GetStream(), answering.GetStream(), generation), CopyAsync(answering.GetStream(), asking.GetStream(), generation));
        }
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, int generation)
    {
        var buffer = new byte[4_096];
        while (await from.ReadAsync(buffer, _end.Token) is > 0 and var read)
        {
            if (Volatile.Read(ref _generation) == generation)
            {
                await to.WriteAsync(buffer.AsMemory(0, read), _end.Token);
            }
        }
        to.Socket.Shutdown(SocketShutdown.Send);
    }
}
