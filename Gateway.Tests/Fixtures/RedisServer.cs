using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Gateway.Tests.Fixtures;

/// <summary>A redis-server of this machine on a free port, which keeps nothing on disk. Can be killed and started again on the same port.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    private readonly string _arguments;
    private readonly bool _isTls;
    private Process? _process;

    private RedisServer(int port, string arguments, bool isTls) => (Port, _arguments, _isTls) = (port, arguments, isTls);

    public int Port { get; }

    public string Endpoint => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary>Starts one; null, with a word of it on the console, where redis-server is not installed or does not know what is asked of it.</summary>
    /// <param name="arguments">More of them.</param>
    /// <param name="isTls">Whether it speaks nothing else.</param>
    public static async Task<RedisServer?> TryStartAsync(string arguments = "", bool isTls = false)
    {
        if (Program is null)
        {
            Console.WriteLine("Skipped: no redis-server on PATH.");
            return null;
        }
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        var server = new RedisServer(((IPEndPoint)probe.LocalEndpoint).Port, arguments, isTls);
        probe.Stop();
        await server.StartAsync();
        if (!server._process!.HasExited)
        {
            return server;
        }
        Console.WriteLine($"Skipped: this redis-server does not take {arguments}");
        await server.DisposeAsync();
        return null;
    }

    /// <summary>Starts it again, empty.</summary>
    public async Task StartAsync()
    {
        var port = _isTls ? $"--port 0 --tls-port {Port}" : $"--port {Port}";
        _process = Process.Start(new ProcessStartInfo(Program!, $"{port} --bind 127.0.0.1 --save \"\" --appendonly no --dir /tmp {_arguments}") { RedirectStandardOutput = true })!;
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        await Until.HoldsAsync(() => Ask("PING")[0] == '+' || _process.HasExited, "redis-server answers");
    }

    public async Task KillAsync()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }
    }

    public void Flush() => Assert.Equal("+OK\r\n", Ask("FLUSHALL"));

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        _process?.Dispose();
    }

    private static string? Program { get; } = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "redis-server")).FirstOrDefault(File.Exists);

    /// <summary>The beginning of its answer to one command, as it comes; a minus where there is none.</summary>
    public string Ask(string command)
    {
        try
        {
            using var client = new TcpClient("127.0.0.1", Port);
            using var stream = _isTls ? (Stream)new SslStream(client.GetStream(), false, (_, shown, _, _) => shown?.Subject == "CN=redis") : client.GetStream();
            (stream as SslStream)?.AuthenticateAsClient("127.0.0.1");
            stream.Write(Encoding.ASCII.GetBytes(command + "\r\n"));
            var answer = new byte[256];
            return Encoding.ASCII.GetString(answer, 0, stream.Read(answer)) is { Length: > 0 } text ? text : "-";
        }
        catch (Exception refused) when (refused is SocketException or IOException or AuthenticationException)
        {
            return "-";
        }
    }
}
