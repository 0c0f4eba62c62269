using System.Text;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Requests;
using Gateway.Simulation.Serving;
using Gateway.Telemetry;
using Gateway.Tests.Fakes;

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

    /// <summary>Requests that wait for a turn.</summary>
    public int Waiting => Enum.GetValues<PriorityClass>().Sum(Server.Core.Find(Model)!.Dispatcher.Waiting);

    /// <summary>Starts engines and a gateway, and waits until its pool can serve.</summary>
    /// <param name="engines">How many.</param>
    /// <param name="engine">Changes an engine's options; gets its index.</param>
    /// <param name="configure">Changes the gateway's options.</param>
    /// <param name="settings">What the gateway takes from its surroundings.</param>
    public static async Task<GatewayWorld> StartAsync(
        int engines = 2, Func<SimulatedEngineOptions, int, SimulatedEngineOptions>? engine = null, Func<GatewayOptions, GatewayOptions>? configure = null,
        ServerSettings? settings = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        var started = new List<SimulatedEngine>();
        for (var i = 0; i < engines; i++)
        {
            var options = new SimulatedEngineOptions { Models = [Model], RecordedRequests = 64 };
            started.Add(await SimulatedEngine.StartAsync(engine?.Invoke(options, i) ?? options, patience.Token));
        }
        return await StartAsync(started, OptionsFor(started), configure, settings ?? new ServerSettings(), patience.Token);
    }

    /// <summary>Starts a gateway in front of engines that the test owns, and waits until all of its replicas are up.</summary>
    /// <param name="engines">The engines; they outlive the world.</param>
    /// <param name="configure">Changes the gateway's options.</param>
    /// <param name="settings">What the gateway takes from its surroundings.</param>
    public static async Task<GatewayWorld> BeforeAsync(
        IEnumerable<ScriptedEngine> engines, Func<GatewayOptions, GatewayOptions>? configure = null, ServerSettings? settings = null)
    {
        using var patience = new CancellationTokenSource(Patience);
        var world = await StartAsync([], OptionsFor(engines.Select(engine => engine.Uri)), configure, settings ?? new ServerSettings(), patience.Token);
        await UntilAsync(() => world.Pool.ReplicaList.All(replica => replica.Health == ReplicaHealth.Up), "every replica is up");
        return world;
    }

    /// <summary>Starts another gateway in front of the same engines, which stay this world's.</summary>
    public async Task<GatewayWorld> BesideAsync(Func<GatewayOptions, GatewayOptions> configure)
    {
        using var patience = new CancellationTokenSource(Patience);
        return await StartAsync([], OptionsFor(Engines), configure, new ServerSettings(), patience.Token);
    }

    /// <summary>The options that put a gateway in front of these engines.</summary>
    public static GatewayOptions OptionsFor(IEnumerable<SimulatedEngine> engines) => OptionsFor(engines.Select(engine => engine.Uri));

    /// <summary>Options with the one model changed.</summary>
    public static GatewayOptions WithModel(GatewayOptions options, Func<ModelOptions, ModelOptions> change) =>
        options with { Models = [change(options.Models[0])] };

    private static GatewayOptions OptionsFor(IEnumerable<Uri> engines) => new()
    {
        Listen = new() { Urls = ["http://127.0.0.1:0"] },
        Models = [new() { Name = Model, Replicas = [.. engines.Select(engine => new ReplicaOptions { Url = engine })] }],
        Telemetry = new TelemetryOptions { AccessLog = "off" },
    };

    private static async Task<GatewayWorld> StartAsync(
        IReadOnlyList<SimulatedEngine> engines, GatewayOptions options, Func<GatewayOptions, GatewayOptions>? configure, ServerSettings settings,
        CancellationToken cancellationToken)
    {
        var server = await GatewayServer.StartAsync(configure?.Invoke(options) ?? options, settings, cancellationToken);
        await server.ReadyAsync(cancellationToken);
        // One replica is enough to be ready; what a test says of several holds once each has had its first probe.
        await Until.HoldsAsync(
            () => server.Core.Fleet.Pools.All(pool => pool.ReplicaList.All(replica => replica.Health != Gateway.Replicas.ReplicaHealth.Unknown)),
            "every replica was probed");
        return new GatewayWorld(engines, server);
    }

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
    public static Task UntilAsync(Func<bool> condition, string what) => Until.HoldsAsync(condition, what);

    /// <summary>Waits until a probe has found a replica working.</summary>
    public Task ReplicaIsUpAsync(int index) => UntilAsync(() => Pool.ReplicaList[index].Health == ReplicaHealth.Up, $"replica {index} is up");

    /// <summary>Waits until no request holds or waits for anything.</summary>
    public Task AtRestAsync() => UntilAsync(
        () => Pool.ReplicaList.All(replica => replica.Snapshot() is { RunningRequests: 0, RunningSequences: 0, ReservedTokens: 0, QueuedPrefillTokens: 0 })
            && Enum.GetValues<PriorityClass>().All(priority => Server.Core.Find(Model)!.Dispatcher.Waiting(priority) == 0),
        "every reservation is returned and nobody waits");

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
