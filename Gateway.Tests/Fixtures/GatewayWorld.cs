using System.Text;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Telemetry;

namespace Gateway.Tests.Fixtures;

/// <summary>A gateway on a free port in front of simulated engines, all in this process.</summary>
internal sealed class GatewayWorld : IAsyncDisposable
{
    public const string Model = "demo";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private int _isDisconnected;

    private GatewayWorld(IReadOnlyList<SimulatedEngine> engines, GatewayServer server)
    {
        Engines = engines;
        Server = server;
        // A client that drops an answer leaves at once: by default it would read on for two seconds to save the connection.
        var handler = new SocketsHttpHandler { UseProxy = false, MaxResponseDrainSize = 0, ResponseDrainTimeout = TimeSpan.Zero };
        Client = new HttpClient(handler) { BaseAddress = new Uri(server.Urls[0]), Timeout = TimeSpan.FromMinutes(2) };
    }

    public IReadOnlyList<SimulatedEngine> Engines { get; }

    public GatewayServer Server { get; }

    public HttpClient Client { get; }

    public Pool Pool => Server.Core.Find(Model)!.Pool;

    /// <summary>Starts engines and a gateway, and waits until its pool can serve.</summary>
    /// <param name="engines">How many.</param>
    /// <param name="engine">Changes an engine's options; gets its index.</param>
    /// <param name="configure">Changes the gateway's options.</param>
    public static async Task<GatewayWorld> StartAsync(
        int engines = 2, Func<SimulatedEngineOptions, int, SimulatedEngineOptions>? engine = null, Func<GatewayOptions, GatewayOptions>? configure = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        var started = new List<SimulatedEngine>();
        for (var i = 0; i < engines; i++)
        {
            var options = new SimulatedEngineOptions { Models = [Model], RecordedRequests = 64 };
            started.Add(await SimulatedEngine.StartAsync(engine?.Invoke(options, i) ?? options, patience.Token));
        }
        var gateway = OptionsFor(started);
        var server = await GatewayServer.StartAsync(configure?.Invoke(gateway) ?? gateway, new ServerSettings(), patience.Token);
        await server.ReadyAsync(patience.Token);
        return new GatewayWorld(started, server);
    }

    /// <summary>The options that put a gateway in front of these engines.</summary>
    public static GatewayOptions OptionsFor(IEnumerable<SimulatedEngine> engines) => new()
    {
        Listen = new() { Urls = ["http://127.0.0.1:0"] },
        Models = [new() { Name = Model, Replicas = [.. engines.Select(engine => new ReplicaOptions { Url = engine.Uri })] }],
        Telemetry = new TelemetryOptions { AccessLog = "off" },
    };

    /// <summary>Posts JSON and returns when the headers are there.</summary>
    public Task<HttpResponseMessage> PostAsync(string path, string json, CancellationToken cancellationToken = default) =>
        PostAsync(path, json, [], cancellationToken);

    public async Task<HttpResponseMessage> PostAsync(
        string path, string json, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
        {
            request.Headers.TryAddWithoutValidation(name, value);
        }
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Waits until a condition holds; an event that never comes is named in the failure.</summary>
    public static async Task UntilAsync(Func<bool> condition, string what)
    {
        var deadline = DateTime.UtcNow + Patience;
        while (!condition())
        {
            Assert.True(DateTime.UtcNow < deadline, $"Waited in vain until {what}.");
            await Task.Yield();
        }
    }

    /// <summary>Closes the client's and the gateway's connections, and leaves the engines running.</summary>
    public async Task DisconnectAsync()
    {
        if (Interlocked.Exchange(ref _isDisconnected, 1) == 1)
        {
            return;
        }
        Client.Dispose();
        using var patience = new CancellationTokenSource(Patience);
        await Server.StopAsync(patience.Token);
        await Server.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await DisconnectAsync();
        foreach (var engine in Engines)
        {
            await engine.DisposeAsync();
        }
    }
}
