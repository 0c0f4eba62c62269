using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Gateway.Tests.Benchmarks.Proxy;

/// <summary>A server in a process of its own, and the processor time it takes. Ends with its owner.</summary>
internal sealed class MeasuredProcess : IDisposable
{
    private const double TicksPerSecond = 100;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly Process _process;

    private MeasuredProcess(string name, int port, Process process) => (Name, Url, _process) = (name, new Uri($"http://127.0.0.1:{port}"), process);

    public string Name { get; }

    public Uri Url { get; }

    /// <summary>Processor time so far, of the system's part as well.</summary>
    public TimeSpan Cpu
    {
        get
        {
            // The fields behind the name in parentheses, which may hold spaces.
            var stat = File.ReadAllText($"/proc/{_process.Id}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
            return TimeSpan.FromSeconds(ticks / TicksPerSecond);
        }
    }

    /// <summary>Resident memory in MiB.</summary>
    public double MemoryMiB => long.Parse(
        File.ReadLines($"/proc/{_process.Id}/status").First(line => line.StartsWith("VmRSS", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1],
        CultureInfo.InvariantCulture) / 1024.0;

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Starts a program and waits until it accepts connections on the port.</summary>
    public static async Task<MeasuredProcess> StartAsync(string name, int port, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }
        var process = Process.Start(start)!;
        process.OutputDataReceived += (_, _) => { };
        process.ErrorDataReceived += (_, line) => Tell(name, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        var measured = new MeasuredProcess(name, port, process);
        var begun = Stopwatch.GetTimestamp();
        while (true)
        {
            using var probe = new TcpClient();
            try
            {
                await probe.ConnectAsync(IPAddress.Loopback, port);
                return measured;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(begun) < Patience && !process.HasExited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50));
            }
        }
    }

    public void Dispose()
    {
        _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
    }

    private static void Tell(string name, string? line)
    {
        // The gateway's own log of a good start is no news.
        if (line is { Length: > 0 } && !line.Contains("\"Information\"", StringComparison.Ordinal))
        {
            Console.Error.WriteLine($"{name}: {line}");
        }
    }
}
