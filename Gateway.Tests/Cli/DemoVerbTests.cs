using System.CommandLine;
using System.Net;
using System.Net.Sockets;
using Gateway.Cli;

namespace Gateway.Tests.Cli;

public class DemoVerbTests
{
    [Fact]
    [Trait("Category", "Long")]
    public async Task Demo_Once_AnswersEveryRequestAndEndsWithZero()
    {
        var (exitCode, output, error) = await RunAsync("--once", "--port", "0");

        Assert.Equal("", error);
        Assert.Contains("failures     0", output, StringComparison.Ordinal);
        Assert.Equal(0, exitCode);
    }

    [Fact]
    public async Task Demo_OnATakenPort_SaysSoAndEndsWithOne()
    {
        using var holder = new TcpListener(IPAddress.Loopback, 0);
        holder.Start();
        var port = ((IPEndPoint)holder.LocalEndpoint).Port;

        var (exitCode, _, error) = await RunAsync("--port", $"{port}");

        Assert.Equal(1, exitCode);
        Assert.StartsWith($"Port {port} is taken.", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--replicas", "0")]
    [InlineData("--replicas", "many")]
    [InlineData("--port", "65536")]
    public void Demo_WithAValueOutOfRange_IsWrongUsage(string option, string value)
    {
        var parsed = new RootCommand { DemoVerb.Create() }.Parse(["demo", option, value]);

        Assert.NotEmpty(parsed.Errors);
    }

    private static Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] arguments) => VerbRun.RunAsync(DemoVerb.Create(), arguments);
}
