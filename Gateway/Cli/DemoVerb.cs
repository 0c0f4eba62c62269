using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using Gateway.Cli.Demo;
using Gateway.Configuration;
using Gateway.Replicas;
using Gateway.Simulation.Serving;
using Gateway.Telemetry;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary><c>gateway demo</c>: simulated engines, the gateway in front of them and a short workload, all in this process.</summary>
public static class DemoVerb
{
    private const int Seed = 1;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly Option<int> Replicas = new("--replicas") { Description = "Simulated engines, 1 to 16.", DefaultValueFactory = _ => 3 };
    private static readonly Option<int> Port = new("--port") { Description = "Port of the gateway on loopback; 0 takes a free one.", DefaultValueFactory = _ => 8080 };
    private static readonly Option<bool> Once = new("--once") { Description = "End after the workload: exit code 0 only if every request succeeded." };

    /// <summary>The verb. Exit codes: 0 done, 1 a request failed or the port is taken, 2 wrong usage.</summary>
    public static Command Create()
    {
        Replicas.Require(engines => engines is >= 1 and <= 16, "a number from 1 to 16");
        Port.Require(port => port is >= 0 and <= 65_535, "a number from 0 to 65535");
        var command = new Command("demo", "Show the gateway at work in front of simulated engines; needs nothing else.") { Replicas, Port, Once };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult arguments, CancellationToken cancellationToken)
    {
        using var stop = new StopSignals(cancellationToken);
        var streams = arguments.InvocationConfiguration;
        var port = arguments.GetValue(Port);
        var engines = new List<SimulatedEngine>();
        try
        {
            for (var i = 0; i < arguments.GetValue(Replicas); i++)
            {
                engines.Add(await SimulatedEngine.StartAsync(new SimulatedEngineOptions { Models = [DemoClient.Model], Seed = Seed }, stop.Token));
            }
            await using var server = await GatewayServer.StartAsync(Options(engines, port), new ServerSettings(), stop.Token);
            return await ServeAsync(server, streams.Output, arguments.GetValue(Once), stop.Token);
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            return arguments.GetValue(Once) ? 1 : 0;
        }
        catch (IOException)
        {
            await streams.Error.WriteLineAsync(string.Create(
                CultureInfo.InvariantCulture, $"Port {port} is taken. Stop what listens there, or choose another: demo --port {(port < 65_535 ? port + 1 : 8081)}"));
            return 1;
        }
        catch (SocketException refused)
        {
            await streams.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"Port {port} cannot be opened: {refused.Message}. Choose one above 1023: demo --port 8081"));
            return 1;
        }
        finally
        {
            await Task.WhenAll(engines.Select(engine => engine.DisposeAsync().AsTask()));
        }
    }

    private static async Task<int> ServeAsync(GatewayServer server, TextWriter output, bool isOnce, CancellationToken cancellationToken)
    {
        var url = server.Urls[0];
        var pool = server.Core.Find(DemoClient.Model)!.Pool;
        await output.WriteLineAsync($"The gateway listens on {url}, in front of {pool.ReplicaList.Count} simulated engines.");
        await ReadyAsync(server, cancellationToken);

        using var client = new DemoClient(new Uri(url), TimeProvider.System);
        var run = new DemoRun(DemoWorkload.Create(Seed), client, TimeProvider.System);
        var isTerminal = ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected;
        var console = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(output) });
        var work = run.RunAsync(cancellationToken);
        await new DemoProgress(console, isTerminal, TimeProvider.System).ShowAsync(work, run, pool);
        await work;

        await output.WriteLineAsync();
        foreach (var line in DemoReport.Lines(run.Results, run.Elapsed))
        {
            await output.WriteLineAsync(line);
        }
        if (isOnce)
        {
            return run.Results.All(result => result.Failure is null) ? 0 : 1;
        }
        await output.WriteLineAsync($"\nStill serving on {url} until Ctrl-C; its status page is {url}/ui/. Try in another terminal:\n");
        foreach (var line in CurlLines.For(url, pool.ReplicaList[0].Id))
        {
            await output.WriteLineAsync(line);
        }
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await server.StopAsync(CancellationToken.None);
        return 0;
    }

    private static async Task ReadyAsync(GatewayServer server, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        await server.ReadyAsync(either.Token);
    }

    private static GatewayOptions Options(List<SimulatedEngine> engines, int port) => new()
    {
        Listen = new() { Urls = [string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")], DrainTimeout = TimeSpan.FromSeconds(5) },
        Models = [new() { Name = DemoClient.Model, Replicas = [.. engines.Select(AsReplica)] }],
        Telemetry = new TelemetryOptions { AccessLog = "off" },
    };

    private static ReplicaOptions AsReplica(SimulatedEngine engine, int index) =>
        new() { Url = engine.Uri, Id = string.Create(CultureInfo.InvariantCulture, $"engine-{index + 1}") };
}
