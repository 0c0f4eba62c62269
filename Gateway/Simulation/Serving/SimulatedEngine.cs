using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Simulation.Serving;

/// <summary>A simulated vLLM replica on a real port of this process. Runs from <see cref="StartAsync"/> until it is disposed; thread-safe.</summary>
public sealed class SimulatedEngine : IAsyncDisposable
{
    private const long MostBodyBytes = 256L << 20;
    private const int MostUnacceptedConnections = 4_096;

    private readonly WebApplication _app;
    private readonly EngineServer _server;

    private SimulatedEngine(WebApplication app, EngineServer server)
    {
        _app = app;
        _server = server;
        Uri = new Uri(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First());
    }

    /// <summary>Where it listens, without a path; the port is the real one.</summary>
    public Uri Uri { get; }

    /// <summary>How it misbehaves from the next request on.</summary>
    public EngineFaults Faults
    {
        get => _server.Faults;
        set => _server.Faults = value;
    }

    /// <summary>What it has seen.</summary>
    public EngineJournal Journal => _server.Journal;

    /// <summary>The engine's gauges and totals as of the latest step.</summary>
    public EngineCounters Counters => _server.Metrics.Counters;

    /// <summary>The profile in force, the options' own limits included.</summary>
    public EngineProfile Profile => _server.Profile;

    /// <summary>Starts an engine; it answers when the task completes.</summary>
    /// <exception cref="IOException">The port is taken.</exception>
    /// <exception cref="System.Net.Sockets.SocketException">The address is none of this machine's, or the port may not be opened.</exception>
    public static async Task<SimulatedEngine> StartAsync(SimulatedEngineOptions options, CancellationToken cancellationToken)
    {
        var server = new EngineServer(options);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.WebHost.UseSockets(sockets => sockets.Backlog = MostUnacceptedConnections);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MostBodyBytes;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(options.Host, options.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1;
                listen.Use(next => async connection =>
                {
                    server.Journal.CountConnection(1);
                    try
                    {
                        await next(connection);
                    }
                    finally
                    {
                        server.Journal.CountConnection(-1);
                    }
                });
            });
        });
        var app = builder.Build();
        app.Run(server.HandleAsync);
        try
        {
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            await server.DisposeAsync();
            throw;
        }

        return new SimulatedEngine(app, server);
    }

    /// <summary>Ends all streams at once and closes the port.</summary>
    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        using var atOnce = new CancellationTokenSource();
        await atOnce.CancelAsync();
        await _app.StopAsync(atOnce.Token);
        await _app.DisposeAsync();
    }
}
