using System.CommandLine;
using Gateway.Cli;
using Gateway.Tests.Deploy;

namespace Gateway.Tests.Cli;

public sealed class ReplayVerbTests : IDisposable
{
    private const string Rows = "{\"timestamp\":1,\"input_length\":10,\"output_length\":5}\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("replay-");
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    private string Trace => Path.Combine(_folder.FullName, "trace.jsonl");

    public ReplayVerbTests() => File.WriteAllText(Trace, Rows);

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _output.Dispose();
        _error.Dispose();
    }

    [Theory]
    [InlineData("--json TRACE", "is read or written by this very run")]
    [InlineData("--report TRACE", "is read or written by this very run")]
    [InlineData("--json FOLDER/same --report FOLDER/./same", "is read or written by this very run")]
    [InlineData("--json FOLDER/no/file", "is not a file in a folder that exists")]
    [InlineData("--policies ,", "--policies: none is named")]
    [InlineData("--replicas 2 --speeds 1,2,0.5", "3 speeds for 2 engines")]
    [InlineData("--replicas 1 --speeds 1e9", "above 0, at most 1000")]
    [InlineData("--rate 1,5", "--rate: \"1,5\" is not a number")]
    [InlineData("--hop-ms 0,5", "--hop-ms: \"0,5\" is not a number")]
    [InlineData("--hop-ms 1001", "--hop-ms: \"1001\" is not a time from 0 to 1000")]
    [InlineData("--live http://127.0.0.1:9 --measured TRACE", "--measured: not together with --live")]
    [InlineData("--sweep 1:2:2 --measured TRACE", "--measured: not together with --sweep")]
    public async Task Replay_WithWhatWouldBeLostOrPassedOver_Is2AndLeavesTheTraceAlone(string flags, string expected)
    {
        var words = flags.Replace("TRACE", Trace, StringComparison.Ordinal).Replace("FOLDER", _folder.FullName, StringComparison.Ordinal).Split(' ');

        Assert.Equal(2, await InvokeAsync(["--trace", "jsonl:" + Trace, .. words]));

        Assert.Contains(expected, _error.ToString(), StringComparison.Ordinal);
        Assert.Equal(Rows, await File.ReadAllTextAsync(Trace));
    }

    [Fact]
    public async Task Replay_OfAMatrixWithoutTheWantedWorkload_Is2AndListsThoseItHas()
    {
        var json = Path.Combine(_folder.FullName, "cells.json");

        Assert.Equal(2, await InvokeAsync("--matrix", DeployFile.PathOf("config/matrix/adaptive.yaml"), "--only", "no-such-workload", "--json", json));

        Assert.Matches("^--only: no workload's name contains \"no-such-workload\"\\. Known: \\w+", _error.ToString());
        Assert.False(File.Exists(json));
    }

    [Fact]
    public async Task Replay_IntoADevice_WritesToItAndLeavesItADevice()
    {
        Assert.Equal(0, await InvokeAsync("--trace", Trace, "--json", "/dev/null", "--report", "/dev/null"));

        Assert.Equal(0, new FileInfo("/dev/null").Length);
        Assert.False(File.Exists("/dev/null.part"));
    }

    private Task<int> InvokeAsync(params string[] arguments) => new RootCommand { ReplayVerb.Create() }
        .Parse(["replay", .. arguments])
        .InvokeAsync(new InvocationConfiguration { Output = _output, Error = _error, EnableDefaultExceptionHandler = false });
}
