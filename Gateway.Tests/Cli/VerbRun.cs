using System.CommandLine;

namespace Gateway.Tests.Cli;

/// <summary>A verb run in this process, as from the command line.</summary>
internal static class VerbRun
{
    public static async Task<(int ExitCode, string Output, string Error)> RunAsync(Command verb, params string[] arguments)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var parsed = new RootCommand { verb }.Parse([verb.Name, .. arguments]);
        var exitCode = await parsed.InvokeAsync(new InvocationConfiguration { Output = output, Error = error, ProcessTerminationTimeout = null });
        return (exitCode, output.ToString(), error.ToString());
    }
}
