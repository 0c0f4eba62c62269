using System.CommandLine;
using Gateway.Replay.Traces;
using Spectre.Console;

namespace Gateway.Cli;

/// <summary>What verbs share that read workloads and print tables: their terminal, and their exit codes.</summary>
internal static class ReportingVerb
{
    /// <summary>Runs a verb's work, and gives it up on Ctrl-C and SIGTERM.</summary>
    /// <param name="arguments">The command line.</param>
    /// <param name="work">Gets the terminal, whether anybody watches it, and what gives it up; returns the exit code.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What the work returns; 2 after wrong usage or a damaged file, 1 when a file could not be written or it was given up.</returns>
    public static async Task<int> RunAsync(ParseResult arguments, Func<IAnsiConsole, bool, CancellationToken, Task<int>> work, CancellationToken cancellationToken)
    {
        var streams = arguments.InvocationConfiguration;
        using var stop = new StopSignals(cancellationToken);
        try
        {
            var isTerminal = ReferenceEquals(streams.Output, Console.Out) && !Console.IsOutputRedirected;
            var settings = new AnsiConsoleSettings { Ansi = isTerminal ? AnsiSupport.Detect : AnsiSupport.No, Out = new AnsiConsoleOutput(streams.Output) };
            return await work(AnsiConsole.Create(settings), isTerminal, stop.Token);
        }
        catch (TraceException wrong)
        {
            await streams.Error.WriteLineAsync(wrong.Message);
            return 2;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            await streams.Error.WriteLineAsync(refused.Message);
            return 1;
        }
        catch (OperationCanceledException) when (stop.Token.IsCancellationRequested)
        {
            await streams.Error.WriteLineAsync("Stopped before the end; no file was written.");
            return 1;
        }
    }
}
