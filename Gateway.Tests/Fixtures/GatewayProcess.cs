using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Gateway.Tests.Fixtures;

/// <summary>The gateway's own program as a child process.</summary>
internal sealed class GatewayProcess : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _errors = new();
    private readonly Lock _gate = new();

    private GatewayProcess(Process process, bool isLogRead)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(_errors, line.Data);
        process.Start();
        process.BeginOutputReadLine();
        if (isLogRead)
        {
            process.BeginErrorReadLine();
        }
    }

    /// <summary>What it wrote to stdout so far.</summary>
    public string Output => Read(_output);

    /// <summary>What it wrote to stderr so far: the logs are there.</summary>
    public string Errors => Read(_errors);

    public bool HasExited => _process.HasExited;

    /// <summary>Memory that the process holds now, in bytes.</summary>
    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Files and sockets that the process has open.</summary>
    public int Handles => Directory.GetFileSystemEntries(string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}/fd")).Length;

    /// <summary>Starts a verb.</summary>
    public static GatewayProcess Start(params string[] arguments) => Start([], arguments);

    /// <summary>Starts a verb with further variables in its environment.</summary>
    public static GatewayProcess Start(IReadOnlyList<(string Name, string Value)> environment, params string[] arguments) => Start(environment, isLogRead: true, arguments);

    /// <summary>The same, perhaps with a stderr that nobody reads.</summary>
    public static GatewayProcess Start(IReadOnlyList<(string Name, string Value)> environment, bool isLogRead, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "gateway.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }
        return new(new Process { StartInfo = start }, isLogRead);
    }

    /// <summary>Runs a verb to its end.</summary>
    /// <returns>Its exit code.</returns>
    public static async Task<(int Code, string Output, string Errors)> RunAsync(params string[] arguments)
    {
        await using var process = Start(arguments);
        var code = await process.ExitAsync();
        return (code, process.Output, process.Errors);
    }

    /// <summary>Waits for the end of the process.</summary>
    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().ComesAsync("the end of the process", Patience);
        return _process.ExitCode;
    }

    /// <summary>Waits until so many lines of stderr hold a text.</summary>
    public Task LogsAsync(string text, int times = 1) =>
        Until.HoldsAsync(() => Errors.Split('\n').Count(line => line.Contains(text, StringComparison.Ordinal)) >= times || HasExited, $"the log says \"{text}\" {times} times", Patience);

    /// <summary>Sends a signal, such as <c>TERM</c>.</summary>
    public void Signal(string name)
    {
        using var kill = Process.Start("kill", ["-s", name, _process.Id.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    private void Keep(StringBuilder kept, string? line)
    {
        lock (_gate)
        {
            kept.AppendLine(line);
        }
    }

    private string Read(StringBuilder kept)
    {
        lock (_gate)
        {
            return kept.ToString();
        }
    }
}

/// <summary>A configuration file of a test's own, and a gateway process that serves by it.</summary>
internal sealed class ServedFile : IAsyncDisposable
{
    private ServedFile(string file, GatewayProcess process, HttpClient client) => (File, Process, Client) = (file, process, client);

    public string File { get; }

    public GatewayProcess Process { get; }

    public HttpClient Client { get; }

    /// <summary>Starts a gateway in front of replicas and waits until it is ready.</summary>
    /// <param name="replicas">Base addresses.</param>
    /// <param name="more">Further YAML, whole top-level keys.</param>
    /// <param name="listenMore">Further keys of <c>listen</c>, as flow YAML beginning with a comma.</param>
    /// <param name="environment">Further variables.</param>
    /// <param name="isLogRead">Whether anybody reads its stderr.</param>
    public static async Task<ServedFile> StartAsync(
        IEnumerable<Uri> replicas, string more = "", string listenMore = "", IReadOnlyList<(string Name, string Value)>? environment = null, bool isLogRead = true)
    {
        var port = FreePort.Take();
        var file = Path.GetTempFileName();
        await System.IO.File.WriteAllTextAsync(file, Yaml(port, replicas, more, listenMore));
        var process = GatewayProcess.Start(environment ?? [], isLogRead, "serve", "--config", file);
        var handler = new SocketsHttpHandler { UseProxy = false, MaxResponseDrainSize = 0, ResponseDrainTimeout = TimeSpan.Zero };
        var client = new HttpClient(handler) { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = TimeSpan.FromMinutes(5) };
        var served = new ServedFile(file, process, client);
        await served.ReadyAsync();
        return served;
    }

    /// <summary>The configuration's text.</summary>
    public static string Yaml(int port, IEnumerable<Uri> replicas, string more = "", string listenMore = "") => string.Create(CultureInfo.InvariantCulture, $$"""
        listen: { urls: [http://127.0.0.1:{{port}}]{{listenMore}} }
        telemetry: { accessLog: off }
        models:
          - name: {{GatewayWorld.Model}}
            replicas: [{{string.Join(", ", replicas)}}]
        {{more}}

        """);

    /// <summary>Opens a stream and returns when its headers are there.</summary>
    public async Task<OpenChat> OpenAsync(string prompt, string more = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent(Chat.Body(prompt, isStreaming: true, more: more), Encoding.UTF8, "application/json"),
        };
        return new OpenChat(await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead).ComesAsync("the headers of a stream", TimeSpan.FromMinutes(2)));
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Process.DisposeAsync();
        System.IO.File.Delete(File);
    }

    private async Task ReadyAsync()
    {
        using var looks = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        while (true)
        {
            Assert.False(Process.HasExited, $"The gateway ended instead of serving: {Process.Errors}");
            try
            {
                using var answer = await Client.GetAsync("/readyz", patience.Token);
                if (answer.IsSuccessStatusCode)
                {
                    return;
                }
            }
            catch (HttpRequestException)
            {
                // It does not listen yet.
            }
            await looks.WaitForNextTickAsync(patience.Token);
        }
    }
}

/// <summary>Ports that nobody listens on.</summary>
internal static class FreePort
{
    public static int Take()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
