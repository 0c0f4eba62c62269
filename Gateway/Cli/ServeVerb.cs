using System.CommandLine;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Gateway.Configuration;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Gateway.Cli;

/// <summary><c>gateway serve --config FILE</c>: the gateway, until SIGTERM or Ctrl-C.</summary>
public static class ServeVerb
{
    /// <summary>The verb. Exit codes: 0 stopped as asked, 1 could not listen or write its log, 2 the configuration has problems.</summary>
    public static Command Create()
    {
        var config = new Option<string>("--config")
        {
            Description = "The configuration file. Edits take effect while the gateway runs; a bad edit changes nothing.",
            HelpName = "FILE",
            DefaultValueFactory = _ => "config/gateway.yaml",
        };
        var command = new Command("serve", "Serve the OpenAI API in front of the configured replicas. What gateway does without a verb.") { config };
        var fileOf = ConfigurationArgument.AddTo(command, config);
        command.SetAction((parsed, cancellationToken) => RunAsync(fileOf(parsed), parsed.InvocationConfiguration, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string file, InvocationConfiguration streams, CancellationToken cancellationToken)
    {
        var environment = ConfigurationFile.ReadEnvironment();
        var text = ConfigurationFile.Read(file, out _);
        var loaded = text is null
            ? ConfigurationFile.Load(file, environment)
            : ConfigurationFile.LoadText(text, file, environment);
        if (loaded.Options is not { } options)
        {
            await streams.Error.WriteLineAsync(ProblemReport.Format(loaded.Problems, "The gateway does not start."));
            return 2;
        }
        using var logs = LoggerFactory.Create(builder => ConfigureLogging(builder, options));
        var log = logs.CreateLogger<ConfigurationWatcher>();
        ConfigurationWatcher.Warn(log, loaded.Warnings);
        try
        {
            await using var server = await GatewayServer.StartAsync(
                options, new ServerSettings { ConfigureLogging = builder => ConfigureLogging(builder, options) }, cancellationToken);
            var settings = new LastGood<GatewayOptions>(options);
            settings.Changed += server.Apply;
            using var watcher = new ConfigurationWatcher(
                file, text!, settings, edited => ConfigurationFile.LoadText(edited, file, environment),
                problems => NoteRefusal(server, problems), TimeProvider.System, log);
            using var onHangUp = PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
            {
                signal.Cancel = true;
                watcher.ReloadNow();
            });
            await UntilStoppedAsync(server, watcher, cancellationToken);
            return 0;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            await streams.Error.WriteLineAsync(refused.InnerException is AddressInUseException
                ? $"{refused.Message} Stop what listens there, or choose another: listen in {file}, or GATEWAY__LISTEN=http://127.0.0.1:PORT."
                : refused.Message);
            return 1;
        }
        catch (SocketException refused)
        {
            await streams.Error.WriteLineAsync(
                $"Cannot listen on {string.Join(", ", options.Listen.Urls)}: {refused.Message}. listen in {file} takes addresses of this machine, and ports that this user may open.");
            return 1;
        }
    }

    // Waits for SIGTERM, Ctrl-C or the token, then lets running answers finish. A second signal does not wait for the delay before that.
    private static async Task UntilStoppedAsync(GatewayServer server, ConfigurationWatcher watcher, CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var hurry = new CancellationTokenSource();
        using var onTerminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => Stop(signal, stop, hurry));
        using var onInterrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => Stop(signal, stop, hurry));
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // The file may be its successor's already: whoever still asks here would be refused by settings that were never meant for this one.
        watcher.Dispose();
        await server.StopAsync(hurry.Token);
    }

    // An applied reload is counted where it is applied.
    private static void NoteRefusal(GatewayServer server, IReadOnlyList<ConfigurationProblem> problems)
    {
        if (problems.Count > 0)
        {
            server.Status.OnRefusedReload(problems);
        }
    }

    private static void Stop(PosixSignalContext signal, CancellationTokenSource stop, CancellationTokenSource hurry)
    {
        signal.Cancel = true;
        (stop.IsCancellationRequested ? hurry : stop).Cancel();
    }

    // One JSON object a line on stderr: stdout belongs to the access log.
    private static void ConfigureLogging(ILoggingBuilder builder, GatewayOptions options)
    {
        builder.SetMinimumLevel(options.Telemetry.LogLevel);
        builder.AddJsonConsole(console =>
        {
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ";
        });
        builder.Services.Configure<ConsoleLoggerOptions>(console =>
        {
            console.LogToStandardErrorThreshold = LogLevel.Trace;
            // Where nobody reads stderr any more, lines are lost and counted; no request waits for them.
            console.QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite;
        });
    }
}
