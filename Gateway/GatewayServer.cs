using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Gateway.Access.Limits;
using Gateway.Api;
using Gateway.Configuration;
using Gateway.Dashboard;
using Gateway.Forwarding;
using Gateway.Learning;
using Gateway.Replicas;
using Gateway.Replicas.Engines;
using Gateway.Replicas.Engines.Discovery;
using Gateway.Requests;
using Gateway.Telemetry;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway;

/// <summary>One gateway on its sockets: the core, its watchers and its endpoints. What <c>serve</c>, <c>demo</c> and the tests start.</summary>
public sealed partial class GatewayServer : IAsyncDisposable
{
    /// <summary>An answer that grew this recently shows that a slow probe means a busy engine.</summary>
    private static readonly TimeSpan ProofOfLife = TimeSpan.FromSeconds(10);

    /// <summary>Time for the last words to the clients after the drain is over; then connections are cut.</summary>
    private static readonly TimeSpan Farewell = TimeSpan.FromSeconds(2);

    private readonly WebApplication _app;
    private readonly FleetWatcher _watcher;
    private readonly UpstreamPools _upstreams;
    private readonly TelemetrySession _telemetry;
    private readonly GatewayMeters _meters;
    private readonly StateGauges _gauges;
    private readonly DemandBeat _demand;
    private readonly AccessLog? _accessLog;
    private readonly SnapshotFile? _snapshots;
    private readonly TenantKeeper _tenants;
    private readonly GatewaySharing? _sharing;
    private readonly StatusBoard _board;
    private CertificateKeeper? _certificates;
    private readonly TimeProvider _time;
    private readonly ILogger<GatewayServer> _log;
    private readonly ServerStop _stop;

    private GatewayServer(GatewayOptions options, ServerSettings settings)
    {
        _time = settings.Time;
        var builder = Builder(options, () => _certificates!.Current);
        settings.ConfigureLogging?.Invoke(builder.Logging);
        _app = builder.Build();
        _log = _app.Services.GetRequiredService<ILogger<GatewayServer>>();
        var chance = new Random(options.Routing.Seed);
        var snapshot = SnapshotFile.Read(options.Estimation, _log);
        var hashKey = GatewaySharing.HashKey(options.Redis, settings.Environment) ?? snapshot.HashKey ?? BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        Core = GatewayCore.Create(options, _time, chance, hashKey);
        _stop = new ServerStop(_app, Core, options.Listen, _time, _log);
        snapshot.Restore(Core.Lengths, hashKey);
        _snapshots = SnapshotFile.KeepWriting(options.Estimation, () => Core.Lengths, hashKey, _time, _log);
        _tenants = new TenantKeeper(options, settings.Environment, Core.Hasher, _time, _log);

        var scope = new object();
        _meters = new GatewayMeters(scope);
        _accessLog = AccessLog.Open(options.Telemetry, _time, _log, () => Core.Options.Telemetry.AccessLogSample);
        Status = new ServerStatus(Core, _tenants.Door, _accessLog, _meters, _time);
        _sharing = options.Redis is { } redis ? GatewaySharing.Start(redis, Core, _tenants, settings.Environment, _time, _log) : null;
        _board = new StatusBoard(_time);
        Feed = new StatusFeed(Core.Fleet, _board, Status.Read, _time, _app.Lifetime.ApplicationStopping);
        var coordinator = _sharing?.Coordinator;
        _gauges = new StateGauges(Core.Fleet, Status.QueueDepths, Status.Calibration, scope, coordinator is null ? null : () => coordinator.IsUp, Status.SignalsOf);
        _demand = new DemandBeat(Core, _time);
        if (coordinator is not null)
        {
            _meters.ShowRedisFailures(() => coordinator.Failures);
        }
        _telemetry = new TelemetrySession(Version, _time, scope);
        _meters.Prepare(options.Models.Select(model => model.Name));

        var keys = settings.Environment;
        var events = new UpstreamEvents
        {
            Tokens = GapsOf,
            Retried = _meters.OnRetry,
            StreamBroken = _meters.OnStreamBroken,
            Hedged = _meters.OnHedged,
            BudgetSpent = (model, refused) => Log.BudgetSpent(_log, model, refused),
        };
        _upstreams = new UpstreamPools(UpstreamConnections.Create(options.Resilience), () => Core.Options.Resilience, keys, events, _time, _stop.DrainIsOver);
        var access = new EngineAccess(EngineAccess.CreateHttp(options.Resilience.ConnectTimeout), model => model.ApiKey(keys), _time);
        _watcher = new FleetWatcher(
            access, new DiscoverySources(settings.Names, new ReplicaListReader(), keys), replica => replica.HasAnsweredWithin(ProofOfLife), new Random(chance.Next()),
            _app.Services.GetRequiredService<ILogger<FleetWatcher>>());
        Map(options);
    }

    /// <summary>The version of this build.</summary>
    public static string Version { get; } =
        typeof(GatewayServer).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "0";

    public GatewayCore Core { get; }

    /// <summary>Where it listens, with the ports that were given.</summary>
    public IReadOnlyList<string> Urls =>
        [.. _app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses];

    /// <summary>Waits until every model has a replica that takes work, by looking at the fleet until the token says to stop.</summary>
    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        while (!Core.Fleet.Pools.All(pool => pool.CanServe))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), _time, cancellationToken);
        }
    }

    /// <summary>Starts listening and watching. A fleet that is down is no failure: its models answer 503 until one is up.</summary>
    /// <exception cref="IOException">An address to listen on is taken.</exception>
    public static async Task<GatewayServer> StartAsync(GatewayOptions options, ServerSettings settings, CancellationToken cancellationToken)
    {
        var server = new GatewayServer(options, settings);
        try
        {
            server._certificates = options.Listen.Tls is { } tls ? new CertificateKeeper(tls, settings.Time, server._log) : null;
            server._watcher.Apply([.. server.Core.Models.Select(model => model.Pool)], options.Resilience);
            server._watcher.Start();
            await server._app.StartAsync(cancellationToken);
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
        foreach (var url in server.Urls)
        {
            Log.Started(server._log, Version, url, options.Models.Count);
        }
        return server;
    }

    /// <summary>Takes over new options. Running answers are not touched; a model that left answers those it has.</summary>
    public void Apply(GatewayOptions options)
    {
        var left = Core.Apply(options);
        // At once: a model that is new is known by name from here on, and is answered for as down until it has its replicas.
        _watcher.Apply([.. Core.Models.Select(model => model.Pool)], options.Resilience);
        _meters.Prepare(options.Models.Select(model => model.Name));
        _tenants.Apply(options);
        foreach (var model in left)
        {
            model.Pool.SetReplicas([]);
            model.Dispose();
        }
        Status.OnReload();
    }

    /// <summary>Counts somebody who was turned away where no model is asked.</summary>
    internal void OnTurnedAway(string route, int status, string? code) => _meters.OnTurnedAway(route, status, code);

    /// <summary>Is no longer ready; after the configured delay takes no more requests, and lets running answers finish within the configured time.</summary>
    /// <param name="hurry">Ends the delay.</param>
    public Task StopAsync(CancellationToken hurry) => _stop.StopAsync(hurry);

    public ValueTask DisposeAsync() => ServerStop.EndAsync(
        [_app, _watcher, _snapshots, _sharing, Core, _tenants, _certificates, _upstreams, _accessLog, _demand, _gauges, _telemetry, _meters, _stop], _log);

    private static WebApplicationBuilder Builder(GatewayOptions options, Func<ServerCertificates> certificates)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddSingleton<IHostLifetime, UnattendedLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            // The engines' headers are read as Latin-1, so they are written as Latin-1: a byte beyond ASCII must not fail the answer.
            kestrel.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1;
            Listeners.Open(kestrel, options.Listen, certificates);
        }).UseKestrelHttpsConfiguration();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = options.Listen.DrainTimeout + Farewell);
        builder.Services.AddHttpForwarder();
        builder.Logging.SetMinimumLevel(options.Telemetry.LogLevel);
        // YARP's log is off: failed engines and clients that left are handled, counted and logged by GatewayPath.
        builder.Logging.AddFilter("Yarp", LogLevel.None);
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        // It logs nothing at Warning, but while it is enabled ASP.NET makes a span and a log scope for every request.
        builder.Logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // A failed start is reported by the verb, in one line.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        return builder;
    }

    private void Map(GatewayOptions options)
    {
        var reader = new RequestReader(options.Listen, () => Core.Options.Routing.Prefix, Core.Hasher, _time);
        List<ICompletionObserver> observers = [Core.Learner, new RequestMeters(_meters, Status.Calibration, Core.Fleet, () => Core.Options.Telemetry), _board.Latencies, _board.Failures, Status.Goodput];
        if (_accessLog is not null)
        {
            observers.Add(_accessLog);
        }
        var path = new GatewayPath(
            Core, _tenants.Door, reader, _upstreams, _app.Services.GetRequiredService<IHttpForwarder>(), () => Core.Options, observers,
            _meters.OnAdmission, _time)
        {
            Onlookers = new Onlookers(new DecisionLog(_app.Services.GetRequiredService<ILogger<DecisionLog>>()), _board),
            IsStopping = () => IsStopping,
        };
        ((IApplicationBuilder)_app).Run(new Endpoints(this, path, reader, _tenants.Door, options.Listen).Serve());
    }

    internal PrometheusPage MetricsPage => _telemetry.Page;

    /// <summary>What operators are told.</summary>
    internal ServerStatus Status { get; }

    internal StatusFeed Feed { get; }

    /// <summary>What tenants use.</summary>
    internal LimitLedger Limits => _tenants.Ledger;

    internal bool IsStopping => _stop.HasBegun;

    private TokenGaps GapsOf(InferenceRequest request, string model, Replica replica) =>
        new(_meters, _board.Latencies, Core.Options.Telemetry.GenAiMetrics && request.Body.IsStreaming ? _meters.GenAiTagsOf(request.Route.Kind, model, replica) : null);

    private sealed class TokenGaps(GatewayMeters meters, LatencyHistory latencies, KeyValuePair<string, object?>[]? tags) : ITokenObserver
    {
        public void OnTokenGap(string model, double seconds)
        {
            meters.OnTokenGap(model, seconds);
            latencies.OnTokenGap(model, seconds);
            if (tags is not null)
            {
                meters.OnChunkGap(tags, seconds);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "{Model}: retries and continuations that the retry budget refused: {Refused}; resilience.retryBudgetPerSecond and retryBudgetShare set it.")]
        public static partial void BudgetSpent(ILogger logger, string model, long refused);

        [LoggerMessage(Level = LogLevel.Information, Message = "Gateway {Version} listens on {Url}; models: {Models}.")]
        public static partial void Started(ILogger logger, string version, string url, int models);
    }
}
